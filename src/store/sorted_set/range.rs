//! Parts of a sorted set by score or by member.

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreBound {
    /// The score.
    pub score: f64,
    /// Whether members of exactly that score are out.
    pub excluded: bool,
}

impl ScoreBound {
    /// Whether a score lies below a range that begins here.
    #[inline]
    pub fn is_above(self, score: f64) -> bool {
        score < self.score || self.excluded && score == self.score
    }

    /// Whether a score is not above a range that ends here.
    #[inline]
    pub fn reaches(self, score: f64) -> bool {
        score < self.score || !self.excluded && score == self.score
    }
}

/// Scores between two bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// Where it begins.
    pub min: ScoreBound,
    /// Where it ends.
    pub max: ScoreBound,
}

impl ScoreRange {
    /// Whether no score can lie in it.
    pub fn is_empty(&self) -> bool {
        self.min.score > self.max.score
            || self.min.score == self.max.score && (self.min.excluded || self.max.excluded)
    }
}

/// One end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LexBound<'a> {
    /// Before all members.
    Lowest,
    /// After all members.
    Highest,
    /// This member, which belongs to the range.
    Included(&'a [u8]),
    /// This member, which does not.
    Excluded(&'a [u8]),
}

impl LexBound<'_> {
    /// Whether a member lies below a range that begins here.
    #[inline]
    pub fn is_above(&self, member: &[u8]) -> bool {
        match *self {
            Self::Lowest => false,
            Self::Highest => true,
            Self::Included(bound) => member < bound,
            Self::Excluded(bound) => member <= bound,
        }
    }

    /// Whether a member is not above a range that ends here.
    #[inline]
    pub fn reaches(&self, member: &[u8]) -> bool {
        match *self {
            Self::Lowest => false,
            Self::Highest => true,
            Self::Included(bound) => member <= bound,
            Self::Excluded(bound) => member < bound,
        }
    }
}

/// Members between two bounds, of a set whose members all have the same score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LexRange<'a> {
    /// Where it begins.
    pub min: LexBound<'a>,
    /// Where it ends.
    pub max: LexBound<'a>,
}

impl LexRange<'_> {
    /// Whether no member can lie in it.
    pub fn is_empty(&self) -> bool {
        match (self.min, self.max) {
            (LexBound::Lowest, LexBound::Lowest) | (LexBound::Highest, LexBound::Highest) => true,
            (LexBound::Lowest, _) | (_, LexBound::Highest) => false,
            (LexBound::Highest, _) | (_, LexBound::Lowest) => true,
            (LexBound::Included(min), LexBound::Included(max)) => min > max,
            (
                LexBound::Included(min) | LexBound::Excluded(min),
                LexBound::Included(max) | LexBound::Excluded(max),
            ) => min >= max,
        }
    }
}
