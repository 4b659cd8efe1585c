//! The ends of a name: loads of a fixed size, which need no call to `memcmp` or `memcpy`, and hold
//! all of a short name.

/// The first and the last `N` bytes, which are all of a name that is no longer than both.
#[inline]
pub fn ends<const N: usize>(name: &[u8]) -> (Option<&[u8; N]>, Option<&[u8; N]>) {
    (name.first_chunk(), name.last_chunk())
}

/// Whether two names are the same.
#[inline]
pub fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        4..=8 => ends::<4>(a) == ends::<4>(b),
        9..=16 => ends::<8>(a) == ends::<8>(b),
        17..=32 => ends::<16>(a) == ends::<16>(b),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn names_of_all_lengths_are_told_apart() {
        for len in 0..40 {
            let name: Vec<u8> = (0..len).collect();
            assert!(is_same(&name, &name.clone()));
            for at in 0..name.len() {
                let mut other = name.clone();
                other[at] ^= 1;
                assert!(!is_same(&name, &other), "{len} bytes, byte {at}");
                assert!(!is_same(&name, &name[..at]));
            }
        }
    }
}
