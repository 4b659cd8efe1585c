//! The table behind LCS, one bit per cell.
//!
//! Let `L(i, j)` be the length of the longest common subsequence of the first `i` bytes of `a` and
//! the first `j` of `b`. Along a row, `L` rises by at most one per column, so a row is the set of
//! columns where it rises. A row follows from the one above with a handful of operations on words
//! of 64 columns (Crochemore, Iliopoulos, Pinzon and Reid, 2001), some fifty times as fast as cell
//! by cell: the largest table that LCS allows, 134 million cells, takes a few milliseconds.
//!
//! Rises are also all that the way back needs. Where bytes differ, Redis steps up if `L(i-1, j)`
//! is greater than `L(i, j-1)`, and left otherwise. One of the two equals `L(i, j)`, so the first
//! is greater exactly if `L` rises at column `j` of row `i`.

/// A stretch that both strings have, at these positions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Where it starts in the first string.
    pub a: usize,
    /// Where it starts in the second string.
    pub b: usize,
    /// Its bytes.
    pub len: usize,
}

/// The length of the longest common subsequence; memory for one row.
pub fn common_len(a: &[u8], b: &[u8]) -> usize {
    let mut row = Row::new(a, b);
    for &byte in a {
        row.advance(byte);
    }
    row.rises_len()
}

/// All rows of the table of two strings.
#[derive(Debug)]
pub struct Table<'a> {
    a: &'a [u8],
    b: &'a [u8],
    /// Rows 1 to `a.len()`, each of `row_bytes`; a set bit is a column without a rise.
    rows: Vec<u8>,
    row_bytes: usize,
    common_len: usize,
}

impl<'a> Table<'a> {
    /// Fills the table: about a nanosecond per 64 cells, an eighth of a byte per cell.
    pub fn new(a: &'a [u8], b: &'a [u8]) -> Self {
        let row_bytes = b.len().div_ceil(8);
        let mut rows = Vec::with_capacity(row_bytes * a.len());
        let mut row = Row::new(a, b);
        for &byte in a {
            row.advance(byte);
            let end = rows.len() + row_bytes;
            rows.extend(
                row.flat
                    .iter()
                    .flat_map(|word| word.to_le_bytes())
                    .take(row_bytes),
            );
            debug_assert_eq!(rows.len(), end);
        }
        let common_len = row.rises_len();
        Self {
            a,
            b,
            rows,
            row_bytes,
            common_len,
        }
    }

    /// The subsequence itself: of all that are as long, the one that Redis finds.
    pub fn common(&self) -> Vec<u8> {
        let mut common = Vec::with_capacity(self.common_len);
        self.walk(|part| {
            common.extend(self.a[part.a..part.a + part.len].iter().rev());
        });
        common.reverse();
        common
    }

    /// Gives the parts that make up the subsequence to `visit`, last one first, and returns the
    /// length of the whole.
    pub fn walk(&self, mut visit: impl FnMut(Part)) -> usize {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        while i > 0 && j > 0 {
            let mut len = 0;
            while i > 0 && j > 0 && self.a[i - 1] == self.b[j - 1] {
                len += 1;
                i -= 1;
                j -= 1;
            }
            if len > 0 {
                visit(Part { a: i, b: j, len });
            } else if self.rises(i, j) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        self.common_len
    }

    fn rises(&self, i: usize, j: usize) -> bool {
        let byte = self.rows[(i - 1) * self.row_bytes + (j - 1) / 8];
        byte >> ((j - 1) % 8) & 1 == 0
    }
}

/// One row, and what it takes to make the next.
#[derive(Debug)]
struct Row {
    /// A set bit for each column where `L` does not rise; columns past the end never rise.
    flat: Vec<u64>,
    /// For each byte that `a` has: the columns where `b` has it, `flat.len()` words.
    columns: Vec<u64>,
    /// Which part of `columns` belongs to a byte.
    slots: [usize; 256],
}

impl Row {
    /// The row above the first, in which nothing rises. Its memory is in proportion to `b` times
    /// the number of different bytes in `a`, so never above an eighth of a byte per cell.
    fn new(a: &[u8], b: &[u8]) -> Self {
        let words = b.len().div_ceil(64);
        let mut slots = [usize::MAX; 256];
        let mut slots_len = 0;
        for &byte in a {
            let slot = &mut slots[usize::from(byte)];
            if *slot == usize::MAX {
                *slot = slots_len;
                slots_len += 1;
            }
        }
        let mut columns = vec![0; words * slots_len];
        for (column, &byte) in b.iter().enumerate() {
            let slot = slots[usize::from(byte)];
            if slot != usize::MAX {
                columns[slot * words + column / 64] |= 1 << (column % 64);
            }
        }
        Self {
            flat: vec![u64::MAX; words],
            columns,
            slots,
        }
    }

    /// Makes it the next row, which belongs to `byte` of `a`.
    ///
    /// In each stretch of columns that ends with a rise, the rise moves to the first column of the
    /// stretch that holds `byte`: adding lets a carry run from there to the rise.
    fn advance(&mut self, byte: u8) {
        let words = self.flat.len();
        let slot = self.slots[usize::from(byte)];
        let columns = &self.columns[slot * words..][..words];
        let mut carry = false;
        for (flat, &columns) in self.flat.iter_mut().zip(columns) {
            let hit = *flat & columns;
            let (sum, over) = flat.overflowing_add(hit);
            let (sum, over_by_carry) = sum.overflowing_add(u64::from(carry));
            carry = over || over_by_carry;
            *flat = sum | (*flat & !columns);
        }
    }

    /// `L` in the last column.
    fn rises_len(&self) -> usize {
        self.flat
            .iter()
            .map(|flat| flat.count_zeros() as usize)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Table, common_len};

    /// The table cell by cell and the way back as LCS defines it.
    fn expected(a: &[u8], b: &[u8]) -> (usize, Vec<Part>) {
        let mut cells = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                cells[i][j] = if a[i - 1] == b[j - 1] {
                    cells[i - 1][j - 1] + 1
                } else {
                    cells[i - 1][j].max(cells[i][j - 1])
                };
            }
        }
        let (mut i, mut j) = (a.len(), b.len());
        let mut parts: Vec<Part> = Vec::new();
        let mut is_open = false;
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                match parts.last_mut() {
                    Some(part) if is_open => (part.a, part.b, part.len) = (i, j, part.len + 1),
                    _ => parts.push(Part { a: i, b: j, len: 1 }),
                }
                is_open = true;
            } else {
                is_open = false;
                if cells[i - 1][j] > cells[i][j - 1] {
                    i -= 1;
                } else {
                    j -= 1;
                }
            }
        }
        (cells[a.len()][b.len()], parts)
    }

    #[test]
    fn finds_what_the_definition_finds() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut draw = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for round in 0..400 {
            let letters = 1 + round % 7;
            let mut string = || {
                let len = draw(200);
                (0..len)
                    .map(|_| b'a' + u8::try_from(draw(letters)).unwrap())
                    .collect::<Vec<u8>>()
            };
            let (a, b) = (string(), string());
            let (len, parts) = expected(&a, &b);
            let table = Table::new(&a, &b);
            let mut found = Vec::new();
            assert_eq!(table.walk(|part| found.push(part)), len);
            assert_eq!(found, parts, "{a:?} {b:?}");
            assert_eq!(common_len(&a, &b), len);
            assert_eq!(table.common().len(), len);
        }
    }
}
