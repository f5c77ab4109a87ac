//! What operators look at: API documentation, traces, and how strict the audit is.

use std::time::Duration;

use url::Url;

use super::lints;
use super::setting::{Fallback, HOUR, choice, settings};

settings! {
    /// The API's documentation.
    Docs at "docs" "." {
        /// Whether `/docs` and the OpenAPI description are served.
        enabled: bool {
            fallback: Fallback::ByEnvironment { development: "true", production: "false" },
            example: "true",
            mistaken: &["DOCS", "SWAGGER", "OPENAPI_ENABLED", "ENABLE_DOCS"],
        }
    }
}

settings! {
    /// OpenTelemetry traces.
    Otel at "otel" "." {
        /// Where they are sent, OTLP over HTTP; off unless set.
        endpoint: Option<Url> {
            example: "http://collector.internal:4318",
            mistaken: &["OTEL", "OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "TRACING_ENDPOINT"],
            foreign: &["OTEL_EXPORTER_OTLP_ENDPOINT"],
            lints: &[lints::COLLECTOR],
        }
        /// The share of requests that are traced.
        sample_ratio: f64 {
            fallback: Fallback::Always("1.0"),
            example: "0.1",
            mistaken: &["OTEL_SAMPLER", "OTEL_SAMPLE_RATE", "OTEL_TRACES_SAMPLER_ARG"],
        }
    }
}

settings! {
    /// What the service looks at before, at and after its start; the page of checks lists all.
    Checks at "checks" "." {
        /// What a bad result of a check means, if not what the page of checks says: `ID=fail`,
        /// `ID=degrade`, `ID=warn` or `ID=ignore`. `SMTP-*` means every check of the relay, and so on.
        policy: Vec<String> {
            fallback: Fallback::Always(""),
            example: "SMTP-4=fail,DB-5=ignore",
            mistaken: &["CHECK_POLICY", "PREFLIGHT_POLICY", "HEALTH_POLICY"],
            lints: &[lints::POLICY],
        }
        /// How often every check is repeated, instead of as often as the page of checks says. For
        /// trying out alerts; a relay may not like to be asked every second.
        interval: Option<Duration> {
            bounds: Some((100, HOUR)),
            example: "1m",
            mistaken: &["CHECK_INTERVAL", "HEALTH_INTERVAL"],
        }
    }
}

choice! {
    /// What happens to names that nobody declared.
    Unknown {
        /// The program does not start.
        Refuse = "refuse",
        /// It starts and says so: for rolling back to a version that does not know a newer name.
        Warn = "warn",
    }
}

settings! {
    /// How strict the audit of the configuration is.
    Audit at "config" "." {
        /// What happens to unknown names. `warn` is for rolling back to a version that does not know a
        /// newer name; it is reported for as long as it is on.
        unknown: Unknown {
            fallback: Fallback::Always("refuse"),
            example: "warn",
        }
        /// Findings to live with, each as `setting:finding`, the way the refusal shows them in brackets.
        waive: Vec<String> {
            fallback: Fallback::Always(""),
            example: "public_url:private-address",
        }
    }
}
