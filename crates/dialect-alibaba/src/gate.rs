//! Refusals that the server decides on: keys, time, replays, limits.

use causeway_dialect::{Failure, Gate};

/// The API's words for a refusal by the server.
pub fn refuse(gate: &Gate) -> Failure {
    let (status, code, message) = match gate {
        Gate::UnknownKey => (404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."),
        Gate::Expired => (400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."),
        Gate::Replayed => (400, "SignatureNonceUsed", "Specified signature nonce was used already."),
        Gate::BadToken => (
            400,
            "InvalidSecurityToken.MismatchWithAccessKey",
            "Specified SecurityToken mismatch with the AccessKey.",
        ),
        Gate::TooMany { .. } => (400, "Throttling.User", "Request was denied due to user flow control."),
        // Unverified: the real gateway's limit and words are not published.
        Gate::TooLarge => (413, "RequestEntityTooLarge", "The request is larger than the service accepts."),
        Gate::Internal => (
            500,
            "InternalError",
            "The request processing has failed due to some unknown error, exception or failure.",
        ),
        Gate::DryRun => (400, "DryRunOperation", "Request validation has been passed with DryRun flag set."),
        Gate::Unavailable => {
            (503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.")
        }
    };
    let failure = Failure::new(status, code, message);
    match gate {
        Gate::TooMany { left_s, .. } => failure.retry_after(*left_s),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_clients_act_on() {
        assert_eq!(refuse(&Gate::Expired).code, "InvalidTimeStamp.Expired");
        assert_eq!(refuse(&Gate::Replayed).code, "SignatureNonceUsed");
        assert_eq!(refuse(&Gate::UnknownKey).status, 404);
        let throttled = refuse(&Gate::TooMany { seen: 2, allowed: 1, window_s: 60, left_s: 7 });
        assert!(throttled.code.contains("Throttling"));
        assert_eq!(throttled.retry_after_s, Some(7));
        assert_eq!(refuse(&Gate::Unavailable).status, 503);
        let passed = refuse(&Gate::DryRun);
        assert_eq!((passed.status, passed.code.as_str()), (400, "DryRunOperation"));
    }
}
