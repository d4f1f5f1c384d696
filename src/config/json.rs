//! A value of a document as compact JSON, its keys in the order written.

use super::document::{At, Read};
use super::yaml::Value;

/// The value's JSON (RFC 8259).
pub(super) fn json(at: &At<'_>) -> Read<String> {
    match at.value() {
        Value::Nothing => Ok("null".into()),
        Value::Flag(flag) => Ok(flag.to_string()),
        Value::Whole(number) => Ok(number.to_string()),
        Value::Float(number) => {
            serde_json::Number::from_f64(number).map_or_else(|| at.must_be("a number that JSON has"), |n| Ok(n.to_string()))
        }
        Value::Text(text) => Ok(quoted(text)),
        Value::List(_) => Ok(format!("[{}]", at.list(json)?.join(","))),
        Value::Map(_) => {
            let members = at.pairs(At::text, |_, at| json(at))?;
            let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
            Ok(format!("{{{}}}", members.join(",")))
        }
        Value::Odd => at.must_be("what JSON has, without tags"),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
