//! Text with values in it, written `${name}`. Parsed when a realm is read, so that no request ever meets an unknown name.

/// A text whose values are of the type `V`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template<V>(Vec<Part<V>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<V> {
    Text(Box<str>),
    Value(V),
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("there is no value `${{{0}}}` here")]
    Unknown(String),
    #[error("`${{` is not closed by `}}`")]
    Open,
}

impl<V> Template<V> {
    /// Reads a text; `value` knows the names that may stand in it.
    pub fn parse(text: &str, value: impl Fn(&str) -> Option<V>) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or(TemplateError::Open)?;
            parts.push(Part::Text(before.into()));
            parts.push(Part::Value(value(name).ok_or_else(|| TemplateError::Unknown(name.into()))?));
            rest = after;
        }
        parts.push(Part::Text(rest.into()));
        Ok(Self(parts))
    }

    /// A text without values.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// The text with its values; `None` where one of them is absent.
    #[must_use]
    pub fn render(&self, mut value: impl FnMut(&V) -> Option<String>) -> Option<String> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(name) => out.push_str(&value(name)?),
            }
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_renders_its_values_and_leaves_braces_and_line_breaks_alone() {
        let template = Template::parse("{\n\"wait\": ${s}\n}", |name| (name == "s").then_some(())).unwrap();
        assert_eq!(template.render(|()| Some("7".into())).unwrap(), "{\n\"wait\": 7\n}");
        assert_eq!(template.render(|()| None), None);
    }

    #[test]
    fn a_name_that_is_not_known_and_a_brace_left_open_are_refused() {
        let parse = |text| Template::<()>::parse(text, |_| None);
        assert_eq!(parse("${x}"), Err(TemplateError::Unknown("x".into())));
        assert_eq!(parse("${x"), Err(TemplateError::Open));
    }
}
