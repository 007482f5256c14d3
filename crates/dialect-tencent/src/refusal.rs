//! Refusals in the API's words, in both of its languages.

use causeway_dialect::Failure;

/// A refusal: its code, and its message in English and Chinese.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The error code.
    pub code: &'static str,
    /// The message for `en-US`.
    pub en: String,
    /// The message for `zh-CN`, which is also the default.
    pub zh: String,
}

impl Refusal {
    /// A refusal with a message in both languages.
    pub fn new(code: &'static str, en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { code, en: en.into(), zh: zh.into() }
    }

    /// A refusal whose message is English in either language, as the cloud's gate answers.
    pub fn plain(code: &'static str, text: impl Into<String>) -> Self {
        let en = text.into();
        Self { code, zh: en.clone(), en }
    }

    /// The refusal in the language asked for. Failures are told by the body, so the status is 200.
    pub fn into_failure(self, language: &str) -> Failure {
        let message = if is_english(language) { self.en } else { self.zh };
        Failure::new(200, self.code, message)
    }

    /// A required parameter is absent.
    pub fn missing(name: &str) -> Self {
        Self::plain("MissingParameter", format!("The request is missing a required parameter `{name}`."))
    }

    /// A parameter that the action does not have.
    pub fn unknown(name: &str) -> Self {
        Self::plain("UnknownParameter", format!("The parameter `{name}` is not recognized."))
    }

    /// A parameter of another type than the model's.
    pub fn wrong_type(name: &str) -> Self {
        Self::plain("InvalidParameter", format!("The value type of parameter `{name}` is not valid"))
    }

    /// A value outside its enumeration or range.
    pub fn value(name: &str, value: impl std::fmt::Display) -> Self {
        Self::value_as("InvalidParameterValue", name, value)
    }

    /// Like [`Refusal::value`], with a more particular code.
    pub fn value_as(code: &'static str, name: &str, value: impl std::fmt::Display) -> Self {
        Self::plain(code, format!("The value `{value}` specified in the parameter `{name}` is not valid."))
    }

    /// A value of the wrong form, such as an id without its prefix.
    pub fn malformed(code: &'static str, name: &str, value: &str) -> Self {
        Self::new(
            code,
            format!("The format of the value `{value}` specified in the parameter `{name}` is not valid."),
            format!("参数`{name}`的值`{value}`格式不正确。"),
        )
    }

    /// An empty value where one is needed.
    pub fn empty(name: &str) -> Self {
        Self::new(
            "InvalidParameterValue.Empty",
            format!("The parameter `{name}` can't be empty."),
            format!("参数`{name}`不能为空。"),
        )
    }

    /// A text over its limit.
    pub fn too_long(name: &str, limit: usize) -> Self {
        Self::new(
            "InvalidParameterValue.TooLong",
            format!("The value of the parameter `{name}` is longer than `{limit}`."),
            format!("参数`{name}`的值过长，最大长度为`{limit}`。"),
        )
    }

    /// Two parameters that exclude each other.
    pub fn coexist(one: &str, other: &str) -> Self {
        Self::new(
            "InvalidParameter.Coexist",
            format!("The parameters `{one}` and `{other}` can't be specified at the same time."),
            format!("参数`{one}`和`{other}`不能同时指定。"),
        )
    }

    /// Something that the cloud offers and this service does not.
    pub fn unsupported(what: &str) -> Self {
        Self::new(
            "UnsupportedOperation",
            format!("Unsupported operation: {what}."),
            format!("操作不支持：{what}。"),
        )
    }
}

/// Whether a language asked for is English. No language means Chinese (unverified; the SDKs' own default).
pub fn is_english(language: &str) -> bool {
    language.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("en"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_chooses_the_message_and_the_status_is_always_200() {
        let refusal = Refusal::new("A.B", "english", "中文");
        for (language, message) in [("en-US", "english"), ("zh-CN", "中文"), ("", "中文")] {
            let failure = refusal.clone().into_failure(language);
            assert_eq!((failure.status, failure.message.as_str()), (200, message), "{language}");
        }
    }
}
