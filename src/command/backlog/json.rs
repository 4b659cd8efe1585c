//! Facts as JSON.

use std::fmt::Write as _;

use super::Fact;

impl Fact {
    /// The fact as JSON. Bytes that are no UTF-8 become the replacement character.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_json(&mut json);
        json
    }

    /// The same behind what is there already.
    pub fn write_json(&self, json: &mut String) {
        match self {
            Self::Text(text) => write_string(json, &String::from_utf8_lossy(text)),
            Self::Count(count) => {
                // Writing to a string cannot fail.
                let _ = write!(json, "{count}");
            }
            Self::Real(number) if number.is_finite() => {
                let _ = write!(json, "{number}");
            }
            Self::Real(_) | Self::Nothing => json.push_str("null"),
            Self::Map(facts) => {
                json.push('{');
                for (index, (name, fact)) in facts.iter().enumerate() {
                    separate(json, index);
                    write_string(json, name);
                    json.push(':');
                    fact.write_json(json);
                }
                json.push('}');
            }
            Self::List(facts) => {
                json.push('[');
                for (index, fact) in facts.iter().enumerate() {
                    separate(json, index);
                    fact.write_json(json);
                }
                json.push(']');
            }
        }
    }
}

fn separate(json: &mut String, index: usize) {
    if index > 0 {
        json.push(',');
    }
}

fn write_string(json: &mut String, text: &str) {
    json.push('"');
    for letter in text.chars() {
        match letter {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            letter if letter < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(letter));
            }
            letter => json.push(letter),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_bytes_are_strings() {
        let fact = Fact::Map(vec![
            ("name", Fact::Text(b"a\"\\\n\x01\xff<b>".to_vec())),
            ("none", Fact::Nothing),
            (
                "rates",
                Fact::List(vec![Fact::Real(0.5), Fact::Real(f64::NAN), Fact::Count(7)]),
            ),
        ]);
        let json =
            "{\"name\":\"a\\\"\\\\\\n\\u0001\u{fffd}<b>\",\"none\":null,\"rates\":[0.5,null,7]}";
        assert_eq!(fact.to_json(), json);
    }
}
