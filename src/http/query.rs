//! The query of a request: `name=value` pairs, percent-encoded.

/// The value of a name, decoded.
pub fn value(query: &str, name: &str) -> Option<Vec<u8>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then(|| decode(value))
    })
}

/// The value of a name as a number.
pub fn number(query: &str, name: &str) -> Option<u64> {
    let value = value(query, name)?;
    std::str::from_utf8(&value).ok()?.parse().ok()
}

/// Whether a database is asked for that is none of so many.
pub fn asks_beyond(query: &str, databases: usize) -> bool {
    let is_asked = value(query, "db").is_some_and(|db| !db.is_empty());
    is_asked && number(query, "db").is_none_or(|db| db >= databases as u64)
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |at: usize| {
                    let digit = char::from(*after.get(at)?).to_digit(16)?;
                    u8::try_from(digit).ok()
                };
                if let (Some(high), Some(low)) = (digit(0), digit(1)) {
                    bytes.push(high << 4 | low);
                    rest = &after[2..];
                } else {
                    bytes.push(b'%');
                }
            }
            other => bytes.push(other),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        let query = "db=3&name=a%20b+c%FF%zz&empty=&bare";
        assert_eq!(value(query, "name"), Some(b"a b c\xff%zz".to_vec()));
        assert_eq!(number(query, "db"), Some(3));
        assert_eq!(value(query, "empty"), Some(Vec::new()));
        assert_eq!(value(query, "bare"), Some(Vec::new()));
        assert_eq!((value(query, "d"), number(query, "name")), (None, None));
    }
}
