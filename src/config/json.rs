//! A value of a document as compact JSON, its keys in the order written.

use super::document::At;
use super::yaml::Value;

/// The value's JSON (RFC 8259).
pub(super) fn json(at: &At<'_>) -> Option<String> {
    match at.value() {
        Value::Nothing => Some("null".into()),
        Value::Flag(flag) => Some(flag.to_string()),
        Value::Whole(number) => Some(number.to_string()),
        Value::Float(number) => {
            serde_json::Number::from_f64(number).map_or_else(|| at.must_be("a number that JSON has"), |n| Some(n.to_string()))
        }
        Value::Text(text) => Some(quoted(text)),
        Value::List(_) => Some(format!("[{}]", at.list(json)?.join(","))),
        Value::Map(_) => {
            let members = at.pairs(|at| at.text(), |_, at| json(at))?;
            let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
            Some(format!("{{{}}}", members.join(",")))
        }
        Value::Odd => at.must_be("what JSON has, without tags"),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
