//! How a try ended, and what follows. Pure, but for the chance in waits.

use std::time::Duration;

use super::letter;
use super::observer::Outcome;
use super::reply::{self, Failure, Fate, Step};
use super::schedule;
use super::smtp::Connection;
use super::sql::{Detail, Row, Settled};
use super::suppression::Barred;
use super::timeline::{EventKind, State};
use crate::kernel::Timestamp;
use crate::world::World;

/// How one try ended.
pub(super) enum End {
    Accepted {
        reply: String,
        /// Who took it.
        provider: &'static str,
        /// Their name for it.
        provider_id: Option<String>,
        connection: Option<Connection>,
    },
    Kept {
        file: String,
    },
    Failed(Failure),
    /// Mail to its address is suppressed.
    Suppressed(Barred),
    /// Shutdown came first; the relay does not have it.
    GivenBack,
}

/// What follows from the end of a try.
pub(super) struct Ruling {
    pub(super) settled: Settled,
    pub(super) outcome: Option<Outcome>,
    pub(super) event: Option<Happened>,
}

/// What is written into the timeline.
pub(super) struct Happened {
    pub(super) kind: EventKind,
    pub(super) source: &'static str,
    /// What tells it from others of the same message: such as come again and again are written once.
    pub(super) mark: String,
    pub(super) detail: Detail,
}

/// Decides what follows from the end of a try of `row` that was ours until `lease`.
pub(super) fn judge(
    row: &Row,
    lease: Timestamp,
    end: &End,
    now: Timestamp,
    world: &dyn World,
) -> Ruling {
    let settled = |state, reply: Option<&str>| Settled {
        state,
        keep_variables: false,
        attempts: row.attempts,
        next_attempt_at: now,
        reply: reply.map(ToOwned::to_owned),
        final_at: Some(now),
        final_class: None,
        unknown_from: None,
        provider: None,
        provider_message_id: None,
    };
    let again = |reply, attempts, wait| Settled {
        keep_variables: true,
        attempts,
        next_attempt_at: now + wait,
        final_at: None,
        ..settled(State::Queued, reply)
    };
    let happened = |kind, source, detail| Happened {
        kind,
        source,
        mark: lease.as_microsecond().to_string(),
        detail,
    };
    match end {
        End::Accepted { reply, provider, provider_id, .. } => Ruling {
            settled: Settled {
                provider: Some(provider),
                provider_message_id: provider_id.clone(),
                unknown_from: Some(now + letter::silence(&row.kind)),
                ..settled(State::Accepted, Some(reply))
            },
            outcome: Some(Outcome::Accepted),
            event: Some(happened(EventKind::Accepted, "relay", answered(reply))),
        },
        End::Kept { file } => Ruling {
            settled: Settled { keep_variables: true, ..settled(State::Kept, Some(file)) },
            outcome: Some(Outcome::Kept),
            event: Some(happened(EventKind::Kept, "service", Detail::default())),
        },
        End::Suppressed(barred) => Ruling {
            settled: settled(State::Suppressed, Some(&barred.words)),
            outcome: Some(Outcome::Suppressed),
            event: Some(happened(
                EventKind::Suppressed,
                "service",
                Detail { reply: Some(barred.words.clone()), ..Detail::default() },
            )),
        },
        End::GivenBack => Ruling {
            settled: again(None, row.attempts - 1, Duration::ZERO),
            outcome: None,
            event: None,
        },
        End::Failed(failure) => {
            let reply = failure.to_string();
            let source = if failure.step == Step::Write { "service" } else { "relay" };
            let detail = Detail { class: Some(failure.class.as_str()), ..answered(&failure.reply) };
            let retried = |settled, mark: Option<String>| {
                let happened = happened(EventKind::Retried, source, detail.clone());
                let mark = mark.unwrap_or_else(|| happened.mark.clone());
                let event = Some(Happened { mark, ..happened });
                Ruling { settled, outcome: Some(Outcome::Retried), event }
            };
            // While nobody gets through, the breaker decides; when it closes, nothing must sleep on.
            let pause =
                if failure.concerns_all() { schedule::SOON } else { schedule::PAUSE_AT_MOST };
            match failure.fate(row.attempts) {
                Fate::Stop => Ruling {
                    settled: Settled {
                        final_class: Some(failure.class.as_str()),
                        ..settled(State::Failed, Some(&reply))
                    },
                    outcome: Some(Outcome::Failed),
                    event: Some(happened(EventKind::Failed, source, detail)),
                },
                Fate::Hold => {
                    let wait = schedule::jitter(pause, world);
                    let mark = format!("{}/{:?}", failure.step, failure.code);
                    retried(again(Some(&reply), row.attempts - 1, wait), Some(mark))
                }
                Fate::Retry => {
                    let wait = if failure.concerns_all() {
                        schedule::jitter(pause, world)
                    } else {
                        schedule::wait(row.attempts, world)
                    };
                    retried(again(Some(&reply), row.attempts, wait), None)
                }
            }
        }
    }
}

/// Returns what an answer says, as the timeline has it.
pub(super) fn answered(reply: &str) -> Detail {
    let (code, rest) = reply.split_once(' ').unwrap_or((reply, ""));
    let smtp_code = code.parse().ok().filter(|code| (200..600).contains(code));
    let enhanced_code = smtp_code.and_then(|_| reply::enhanced_code(rest));
    Detail { smtp_code, enhanced_code, reply: Some(reply.to_owned()), ..Detail::default() }
}

#[cfg(test)]
mod tests {
    use super::answered;

    #[test]
    fn an_answer_is_taken_apart() {
        for (reply, code, enhanced) in [
            ("250 2.0.0 taken as Q1", Some(250), Some("2.0.0")),
            ("550 5.1.10 null MX", Some(550), Some("5.1.10")),
            ("550 no such user", Some(550), None),
            ("no answer within 20s", None, None),
            ("999 5.1.1 what", None, None),
            ("", None, None),
        ] {
            let detail = answered(reply);
            assert_eq!((detail.smtp_code, detail.enhanced_code.as_deref()), (code, enhanced));
            assert_eq!(detail.reply.as_deref(), Some(reply));
        }
    }
}
