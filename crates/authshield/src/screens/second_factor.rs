//! `/sign-in/…`: the second factor of who showed the right password, or adding one where there must be one.
//!
//! The ticket travels in a field of the form: it works once, for five minutes and five tries.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use minijinja::context;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::page::{Message, with_our_script};
use super::passkey::{self, Scripted};
use super::signed_in::{self, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use super::{cookie, sign_in};
use crate::app::{App, Ctx};
use crate::browser::Cookie;
use crate::form::Form;
use crate::kernel::{PendingToken, RecoveryCode};
use crate::passkeys::http::UsedCredential;
use crate::problem::{Code, Problem};
use crate::second_factor::{self, Enrolment, FactorError, Offered, Proof, Ticket};

pub(super) const VERIFY: &str = "/sign-in/second-factor";
pub(super) const CONFIRM: &str = "/sign-in/enrol";
pub(super) const SEND: &str = "/sign-in/second-factor/mail";

/// In seconds.
const DAY: u64 = 24 * 60 * 60;

/// Asks for the second factor that `ticket` waits for, or shows how to add one.
pub(super) async fn begin(
    app: &App,
    ctx: &Ctx,
    visit: &Visit,
    ticket: &Ticket,
) -> Result<Response, Problem> {
    let token = &ticket.token;
    if ticket.factors == BY_MAIL {
        return mail(app, ctx, visit, token).await;
    }
    if !ticket.is_enrolment {
        let offered = Offered { factors: ticket.factors.clone(), trust: ticket.trust };
        return Ok(show(app, visit, token, &offered, &Wrong::nothing()));
    }
    let enrolment = second_factor::enrol(app, ctx, Some(token)).await?;
    Ok(show_enrolment(app, visit, token, Some(&enrolment), &Wrong::nothing()))
}

/// What there is where only a code by mail can be shown.
const BY_MAIL: [&str; 1] = ["email"];

/// Sends a code by mail, and asks for it.
async fn mail(
    app: &App,
    ctx: &Ctx,
    visit: &Visit,
    token: &PendingToken,
) -> Result<Response, Problem> {
    let wrong = match second_factor::send_code(app, ctx, Some(token)).await {
        Ok(_) => Wrong::nothing(),
        Err(error @ FactorError::Limited(_)) => Wrong::wait(&app.pages, visit, error),
        Err(error) => match again(app, visit, error)? {
            Again::Code(wrong) | Again::Anew(wrong) => return Ok(over(app, visit, &wrong)),
        },
    };
    let offered = Offered { factors: BY_MAIL.to_vec(), trust: None };
    Ok(show(app, visit, token, &offered, &wrong))
}

/// What the button for another mail sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    ticket: SecretString,
}

/// Sends another code by mail.
pub(super) async fn send(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(Asked { ticket }): Form<Asked>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    match PendingToken::parse(ticket.expose_secret()) {
        Some(token) => mail(&app, &ctx, &visit, &token).await,
        None => Err(Code::ValidationFailed.into()),
    }
}

/// Nothing begins here; who comes back to this address begins anew.
pub(super) async fn anew(State(app): State<App>, visit: Visit) -> Response {
    signed_in::to(&visit.action(&app, sign_in::PATH))
}

/// What the form for a new app sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    ticket: SecretString,
    code: SecretString,
}

/// What is shown: a code, or what a passkey signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    ticket: SecretString,
    code: Option<SecretString>,
    email_code: Option<SecretString>,
    credential: Option<Scripted<UsedCredential>>,
    /// Whether the box was ticked by which the device is trusted.
    trust: Option<Ticked>,
}

/// A box that was ticked; else it is not sent.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ticked {
    Yes,
}

/// Opens the session that the ticket waits for.
pub(super) async fn verify(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    before: Option<SignedIn>,
    Form(Shown { ticket, code, email_code, credential, trust }): Form<Shown>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let token = PendingToken::parse(ticket.expose_secret());
    let proof = match (code, email_code, credential) {
        (Some(code), None, None) => Proof::Code(code),
        (None, Some(code), None) => Proof::MailCode(code),
        (None, None, Some(Scripted(credential))) => Proof::Passkey(credential.into()),
        _ => return Err(Code::ValidationFailed.into()),
    };
    let trust = matches!(trust, Some(Ticked::Yes));
    match second_factor::verify::<Cookie>(&app, &ctx, token.as_ref(), &proof, trust).await {
        Ok((cookie, trusted)) => {
            let mut response = signed_in::to(&visit.onward(&app));
            if let Some(trusted) = trusted {
                cookie::give_trust(&app, &mut response, &trusted);
            }
            signed_in::enter(&app, &ctx, before, &cookie, response).await
        }
        Err(FactorError::EnrolmentDue(ticket)) => begin(&app, &ctx, &visit, &ticket).await,
        Err(error) => {
            let offered = match &token {
                Some(token) => second_factor::offered(&app, &ctx, token).await?,
                None => Offered::default(),
            };
            // Of a passkey, every reason that is not the ticket's leaves the ticket waiting.
            let by_passkey = matches!(proof, Proof::Passkey(_)) && !offered.factors.is_empty();
            let again = match error {
                error @ FactorError::Refused(_) if by_passkey => {
                    let words = app.pages.say(&visit, "page-passkey.refused", &[]);
                    Again::Code(Wrong::because(error, words))
                }
                error => again(&app, &visit, error)?,
            };
            match (token, again) {
                (Some(token), Again::Code(wrong)) => {
                    Ok(show(&app, &visit, &token, &offered, &wrong))
                }
                (_, Again::Code(wrong) | Again::Anew(wrong)) => Ok(over(&app, &visit, &wrong)),
            }
        }
    }
}

/// Lets the new factor count, opens the session, and shows the recovery codes.
pub(super) async fn confirm(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    before: Option<SignedIn>,
    Form(Filled { ticket, code }): Form<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let token = PendingToken::parse(ticket.expose_secret());
    match second_factor::confirm_enrolment::<Cookie>(&app, &ctx, token.as_ref(), &code).await {
        Ok((codes, cookie)) => {
            let response = show_codes(&app, &visit, &codes, &visit.onward(&app));
            signed_in::enter(&app, &ctx, before, &cookie, response).await
        }
        Err(error) => match (token, again(&app, &visit, error)?) {
            (Some(token), Again::Code(wrong)) => {
                Ok(show_enrolment(&app, &visit, &token, None, &wrong))
            }
            (_, Again::Code(wrong) | Again::Anew(wrong)) => Ok(over(&app, &visit, &wrong)),
        },
    }
}

/// What to do after a refusal.
enum Again {
    /// Another code may be right.
    Code(Wrong),
    /// This sign-in is over.
    Anew(Wrong),
}

fn again(app: &App, visit: &Visit, error: FactorError) -> Result<Again, Problem> {
    let say = |id: &str| app.pages.say(visit, id, &[]);
    Ok(match error {
        FactorError::Refused("code_used") => {
            Again::Code(Wrong::because(error, say("page-second-factor.used")))
        }
        FactorError::Refused("wrong_mail_code") => {
            Again::Code(Wrong::because(error, say("page-mail-code.wrong")))
        }
        FactorError::Refused("no_mail_code" | "codes_locked" | "address_changed") => {
            Again::Code(Wrong::because(error, say("page-prove.mail-over")))
        }
        FactorError::Refused("wrong_code" | "wrong_recovery_code") => {
            Again::Code(Wrong::because(error, say("page-second-factor.wrong")))
        }
        FactorError::Paused(_) => {
            let problem = Problem::from(error);
            Again::Code(match problem.when() {
                Some(_) => Wrong::wait(&app.pages, visit, problem),
                // For good: only a recovery code helps.
                None => Wrong::because(problem, say("page-second-factor.locked")),
            })
        }
        FactorError::Refused(_) => {
            Again::Anew(Wrong::because(error, say("page-second-factor.over-lead")))
        }
        FactorError::AccountDisabled => {
            Again::Anew(Wrong::because(error, say("page-sign-in.disabled")))
        }
        error => return Err(error.into()),
    })
}

fn show(
    app: &App,
    visit: &Visit,
    token: &PendingToken,
    Offered { factors, trust }: &Offered,
    wrong: &Wrong,
) -> Response {
    // The field stays after the last try, too: it says then that the sign-in is over.
    let by_mail = *factors == BY_MAIL;
    let by_code = !by_mail && *factors != ["passkey"];
    let passkey = factors.contains(&"passkey").then(|| passkey::Button {
        action: visit.action(app, VERIFY),
        challenge: visit.action(app, passkey::SECOND),
        ticket: Some(token.reveal().to_owned()),
        alone: !by_code,
        ..passkey::Button::default()
    });
    let has_passkey = passkey.is_some();
    let context = context! {
        action => visit.action(app, VERIFY),
        anew => visit.action(app, sign_in::PATH),
        ticket => token.reveal(),
        by_code => by_code,
        by_mail => by_mail,
        send => visit.action(app, SEND),
        trust_days => trust.map(|lasts| lasts.as_secs() / DAY),
        passkey => passkey.map(passkey::Button::shown),
        alert => &wrong.alert,
    };
    let page = app.pages.show(wrong.status(), "second-factor.html", visit, context);
    wrong.mark(app, if has_passkey { with_our_script(page) } else { page })
}

fn show_enrolment(
    app: &App,
    visit: &Visit,
    token: &PendingToken,
    enrolment: Option<&Enrolment>,
    wrong: &Wrong,
) -> Response {
    let context = context! {
        action => visit.action(app, CONFIRM),
        anew => visit.action(app, sign_in::PATH),
        ticket => token.reveal(),
        guard => (),
        secret => enrolment.map(|enrolment| in_groups(&enrolment.secret)),
        uri => enrolment.map(|enrolment| enrolment.uri.as_str()),
        picture => enrolment.map(|enrolment| BASE64_STANDARD.encode(&enrolment.qr_svg)),
        alert => &wrong.alert,
    };
    wrong.mark(app, app.pages.show(wrong.status(), "enrol.html", visit, context))
}

/// Four letters at a time are easy to type.
pub(super) fn in_groups(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

/// Shows recovery codes, once; then one goes on to `next`.
pub(super) fn show_codes(app: &App, visit: &Visit, codes: &[RecoveryCode], next: &str) -> Response {
    let codes: Vec<String> = codes.iter().map(|code| code.reveal().to_string()).collect();
    let context = context! { codes => codes, next => next };
    app.pages.show(StatusCode::OK, "recovery-codes.html", visit, context)
}

fn over(app: &App, visit: &Visit, wrong: &Wrong) -> Response {
    let message = Message {
        mood: "bad",
        title: app.pages.say(visit, "page-second-factor.over", &[]),
        lead: wrong.alert.clone().unwrap_or_default(),
        reference: None,
        next: Some(sign_in::next(app, visit)),
    };
    wrong.mark(app, app.pages.tell(wrong.status(), visit, &message))
}
