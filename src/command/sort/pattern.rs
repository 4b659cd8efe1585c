//! What BY and GET find for an element: `#` the element itself, `prefix*suffix` the string at that
//! key with the element in place of the star, `prefix*suffix->field` a field of the hash there.

use crate::command::call::Call;
use crate::protocol::c_string;
use crate::store::Value;

/// What a pattern finds for an element, if anything.
pub(super) fn find(call: &mut Call<'_, '_>, pattern: &[u8], element: &[u8]) -> Option<Vec<u8>> {
    if c_string(pattern) == b"#" {
        return Some(element.to_vec());
    }
    let (name, field) = resolve(pattern, element)?;
    let key = call.key(&name);
    let now_ms = call.now_ms();
    let value = call.shard(&key).value(&key, now_ms);
    let is_there = value.is_some();
    let found = match (value, field) {
        (Some(Value::Text(text)), None) => Some(text.to_vec()),
        (Some(Value::Hash(hash)), Some(field)) => match hash.get(field) {
            // A field whose time is over is gone for every reader.
            Some((_, Some(deadline_ms))) if deadline_ms <= now_ms => None,
            Some((value, _)) => Some(value.to_vec()),
            None => None,
        },
        _ => None,
    };
    call.looked_up(&key, is_there);
    found
}

/// The key and perhaps the field that a pattern means for an element.
fn resolve<'p>(pattern: &'p [u8], element: &[u8]) -> Option<(Vec<u8>, Option<&'p [u8]>)> {
    let star = c_string(pattern).iter().position(|&byte| byte == b'*')?;
    let (prefix, rest) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = c_string(rest).windows(2).position(|pair| pair == b"->");
    // An arrow without a field is part of the name.
    let arrow = arrow.filter(|&at| rest.get(at + 2).is_some_and(|&byte| byte != 0));
    let (suffix, field) = match arrow {
        Some(at) => (&rest[..at], Some(&rest[at + 2..])),
        None => (rest, None),
    };
    Some(([prefix, element, suffix].concat(), field))
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn patterns_name_keys_and_fields() {
        let resolved = |pattern: &'static str| {
            let (name, field) = resolve(pattern.as_bytes(), b"7")?;
            let field = field.map(|field| String::from_utf8_lossy(field).into_owned());
            Some((String::from_utf8(name).unwrap(), field))
        };
        assert_eq!(resolved("w_*"), Some(("w_7".into(), None)));
        assert_eq!(resolved("a*b->f"), Some(("a7b".into(), Some("f".into()))));
        assert_eq!(resolved("a*->"), Some(("a7->".into(), None)));
        assert_eq!(resolved("->*"), Some(("->7".into(), None)));
        assert_eq!(resolved("**"), Some(("7*".into(), None)));
        assert_eq!(resolved("none"), None);
    }
}
