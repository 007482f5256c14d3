//! The gate's refusals: keys, times, rates and faults, in the API's words.

use causeway_dialect::Gate;

use crate::refusal::Refusal;

/// A refusal by the server itself.
pub fn refuse(gate: &Gate) -> Refusal {
    match gate {
        Gate::UnknownKey => Refusal::plain(
            "AuthFailure.SecretIdNotFound",
            "The SecretId is not found, please ensure that your SecretId is correct.",
        ),
        // The newer text names the server's time; this is the older one that does not.
        Gate::Expired => {
            Refusal::plain("AuthFailure.SignatureExpire", "The signature is expired, please request again.")
        }
        // Unverified: nothing documents the answer to a repeated nonce.
        Gate::Replayed => Refusal::new(
            "AuthFailure.SignatureFailure",
            "The provided credentials could not be validated. The `Nonce` has been used already.",
            "请求签名验证失败，`Nonce`已被使用。",
        ),
        Gate::BadToken => Refusal::new(
            "AuthFailure.TokenFailure",
            "The token is invalid or expired.",
            "Token 错误或已过期。",
        ),
        Gate::TooMany { seen, allowed, .. } => Refusal::new(
            "RequestLimitExceeded",
            format!(
                "Your current request times equals to `{seen}` in a second, which exceeds the frequency limit \
                 `{allowed}` for a second. Please reduce the frequency of calls."
            ),
            format!("您当前每秒请求 `{seen}` 次，超过了每秒频率上限 `{allowed}`，请稍后重试。"),
        ),
        Gate::TooLarge => Refusal::plain("RequestSizeLimitExceeded", "The request size exceeds the limit."),
        Gate::Internal => Refusal::new(
            "InternalError",
            "An internal error occurred. Please try again later.",
            "内部服务错误，请稍后重试",
        ),
        Gate::DryRun => Refusal::new(
            "DryRunOperation",
            "The request would have succeeded. The DryRun parameter was used.",
            "DryRun 操作，代表请求将会是成功的，只是多传了 DryRun 参数。",
        ),
        Gate::Unavailable => Refusal::new(
            "ServiceUnavailable",
            "The service is unavailable. Please try again later.",
            "服务不可用，请稍后重试。",
        ),
    }
}
