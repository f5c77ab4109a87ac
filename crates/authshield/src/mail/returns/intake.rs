//! Taking reports in: what is ours to judge by goes into the timeline, the rest is counted.

use onesql::Result;

use super::report::{self, NotAReport, Report, Verdict};
use super::{Returns, token};
use crate::app::App;
use crate::kernel::MailId;
use crate::mail::canary;
use crate::mail::events::{self, News};
use crate::mail::reply::Class;
use crate::mail::sql::{self, Detail};
use crate::mail::timeline::EventKind;
use crate::telemetry::metrics::{MailProvider, MailRejected};

/// How many reports one mail can have: who has its token may write many.
const PER_MAIL: i64 = 32;

/// Why a report changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is larger than any report.
    TooLarge,
    /// It is something else, or broken.
    NotAReport,
    /// It does not say which mail it is about.
    NoToken,
    /// It says which, in words that we did not make.
    Forged,
    /// There is no such mail any more.
    NoSuchMail,
    /// There were enough about this one.
    TooMany,
}

impl Refused {
    /// Returns its name in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotAReport => "not_a_report",
            Self::NoToken => "no_token",
            Self::Forged => "forged",
            Self::NoSuchMail => "no_such_mail",
            Self::TooMany => "too_many",
        }
    }
}

/// Takes a report in; a second time it changes nothing. The inner error says why it was not believed,
/// the outer one that it could not be written down: then it has to come again.
pub async fn take_in(app: &App, raw: &[u8]) -> Result<std::result::Result<(), Refused>> {
    if canary::take_in(app, raw).await? {
        return Ok(Ok(()));
    }
    let taken = match &app.returns {
        None => Err(Refused::NoToken),
        Some(returns) => match judge(returns, raw) {
            Ok((mail, report)) => write_down(app, mail, report).await?,
            Err(refused) => Err(refused),
        },
    };
    let provider = "dsn";
    match taken {
        Ok(()) => {
            #[expect(clippy::cast_precision_loss, reason = "microseconds fit until the year 2255")]
            let now = app.world.now().as_microsecond() as f64 / 1e6;
            let last = app
                .metrics
                .mail_feedback_last_event_timestamp
                .get_or_create(&MailProvider { provider });
            last.set(now);
        }
        Err(refused) => {
            let reason = refused.as_str();
            app.metrics
                .mail_webhook_rejected
                .get_or_create(&MailRejected { provider, reason })
                .inc();
            tracing::info!(reason, "a report about mail was not believed");
        }
    }
    Ok(taken)
}

/// Reads a report and finds the mail that it is about.
fn judge(returns: &Returns, raw: &[u8]) -> std::result::Result<(MailId, Report), Refused> {
    let report = report::read(raw).map_err(|why| match why {
        NotAReport::TooLarge => Refused::TooLarge,
        NotAReport::Other => Refused::NotAReport,
    })?;
    let by_address =
        report.addressees.iter().filter_map(|text| token::token_in(text, &returns.address));
    let by_id = report.envelope_id.clone().filter(|id| token::is_token(id));
    let tokens: Vec<String> = by_id.into_iter().chain(by_address).collect();
    if tokens.is_empty() {
        return Err(Refused::NoToken);
    }
    let mail = tokens.iter().find_map(|token| returns.key.read(token)).ok_or(Refused::Forged)?;
    Ok((mail, report))
}

async fn write_down(
    app: &App,
    mail: MailId,
    report: Report,
) -> Result<std::result::Result<(), Refused>> {
    let mut tx = app.store.write().await?;
    if sql::hold(&mut tx, mail).await?.is_none() {
        return Ok(Err(Refused::NoSuchMail));
    }
    if sql::reports(&mut tx, mail).await? >= PER_MAIL {
        return Ok(Err(Refused::TooMany));
    }
    for verdict in report.verdicts {
        let Verdict { kind, class, smtp_code, status, diagnostic, remote_mta } = verdict;
        let mark = status.as_deref().unwrap_or("-");
        let news = News {
            mail,
            at: app.world.now(),
            source: if kind == EventKind::Complained { "arf" } else { "dsn" },
            external_id: format!("{mail}/{}/{mark}", kind.as_str()),
            kind,
            detail: Detail {
                class: class.map(Class::as_str),
                smtp_code,
                enhanced_code: status,
                reply: diagnostic,
                remote_mta,
            },
        };
        events::append(&mut tx, &app.outbox, news).await?;
    }
    tx.commit().await?;
    Ok(Ok(()))
}
