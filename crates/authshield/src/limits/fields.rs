//! What a client is told of its limits: the `RateLimit` fields of HTTP
//! (draft-ietf-httpapi-ratelimit-headers), which are lists of structured fields (RFC 9651).

use std::fmt::Write;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};

use super::Standing;

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Returns `RateLimit-Policy` and `RateLimit` for all limits that a request was held against;
/// `None` if there were none.
///
/// ```text
/// RateLimit-Policy: "login-per-client";q=20;w=60
/// RateLimit: "login-per-client";r=19;t=3
/// ```
///
/// `t` is the time until the budget is whole; when nothing remains because a request was refused,
/// until the next one is allowed.
#[must_use]
pub fn fields(standings: &[Standing]) -> Option<[(HeaderName, HeaderValue); 2]> {
    let (mut policies, mut limits) = (String::new(), String::new());
    for Standing { rule, remaining, reset_after } in standings {
        let between = if policies.is_empty() { "" } else { ", " };
        let (name, window) = (rule.name, whole_seconds(rule.within));
        write!(policies, "{between}\"{name}\";q={};w={window}", rule.at_most).ok()?;
        write!(limits, "{between}\"{name}\";r={remaining};t={}", whole_seconds(*reset_after))
            .ok()?;
    }
    if policies.is_empty() {
        return None;
    }
    Some([
        (RATE_LIMIT_POLICY, HeaderValue::try_from(policies).ok()?),
        (RATE_LIMIT, HeaderValue::try_from(limits).ok()?),
    ])
}

/// Returns the whole seconds after which `span` has passed.
pub(super) fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::super::rules::{LOGIN_PER_CLIENT, MAIL_PER_CLIENT};
    use super::*;

    #[test]
    fn fields_are_lists_of_strings_with_parameters() {
        let standings = [
            Standing {
                rule: LOGIN_PER_CLIENT,
                remaining: 19,
                reset_after: Duration::from_millis(2001),
            },
            Standing { rule: MAIL_PER_CLIENT, remaining: 0, reset_after: Duration::ZERO },
        ];
        let [(policy, policies), (limit, limits)] = fields(&standings).expect("two standings");
        assert_eq!((policy.as_str(), limit.as_str()), ("ratelimit-policy", "ratelimit"));
        assert_eq!(policies, r#""login-per-client";q=20;w=60, "mail-per-client";q=20;w=3600"#);
        assert_eq!(limits, r#""login-per-client";r=19;t=3, "mail-per-client";r=0;t=0"#);
        assert!(fields(&[]).is_none());
    }
}
