//! `/account`: who one is, and where one is signed in.

use axum::extract::{Query, State};
use axum::response::Response;
use minijinja::{Value, context};
use secrecy::SecretString;
use serde::Deserialize;

use super::sign_in::{Pressed, SIGN_OUT};
use super::signed_in::{Guarded, Own, SignedIn, to};
use super::visit::Visit;
use super::wrong::Wrong;
use super::{activity, data, email, factor, lock, passkeys, password, setup, ties};
use crate::accounts::{self, Change, ChangeError};
use crate::app::{App, Ctx};
use crate::browser::Browser;
use crate::kernel::{FullName, Locale, Place, SessionId, Timestamp};
use crate::passwords;
use crate::problem::{Code, Problem};
use crate::second_factor::StepUp;
use crate::sessions::{self, Session};
use crate::words::{LANGUAGES, Language, Words};

pub(super) const PATH: &str = "/account";
pub(super) const PROFILE: &str = "/account/profile";
pub(super) const END: &str = "/account/sessions/end";
pub(super) const END_OTHERS: &str = "/account/sessions/end-others";

/// How many sessions are shown; whoever has more ends them all at once.
const SESSIONS: i64 = 50;

/// What was done just before.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Done {
    Profile,
    Ended,
    EndedOthers,
    Password,
    Email,
    FactorRemoved,
    Deletion,
    Kept,
    Untrusted,
    Unlinked,
}

/// What the address may say.
#[derive(Deserialize)]
pub(super) struct Asked {
    done: Option<Done>,
}

/// Shows the account.
pub(super) async fn see(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    SignedIn(browser): SignedIn,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let done = asked.ok().and_then(|Query(asked)| asked.done);
    show(&app, &ctx, &visit, &browser, done, None, &Wrong::nothing()).await
}

async fn show(
    app: &App,
    ctx: &Ctx,
    visit: &Visit,
    browser: &Browser,
    done: Option<Done>,
    typed: Option<&str>,
    wrong: &Wrong,
) -> Result<Response, Problem> {
    let user = &browser.caller.user;
    let cutoff = ctx.now - app.config.session.idle_timeout;
    let mut tx = app.store.glance().await?;
    let mut found =
        sessions::list(&mut tx, user.id, ctx.now, cutoff, Place::start(), SESSIONS + 1).await?;
    drop(tx);
    let more = found.len() > usize::try_from(SESSIONS).unwrap_or_default();
    found.truncate(usize::try_from(SESSIONS).unwrap_or_default());
    // The one in which the page is read comes first.
    found.sort_by_key(|session| session.id != browser.caller.session);
    let current = browser.caller.session;
    let told: Vec<Value> = found.iter().map(|session| describe(session, current)).collect();
    let done = done.map(|done| match done {
        Done::Profile => "page-account.saved",
        Done::Ended => "page-account.ended",
        Done::EndedOthers => "page-account.ended-others",
        Done::Password => "page-password.done",
        Done::Email => "page-email.done",
        Done::FactorRemoved => "page-factor.removed",
        Done::Deletion => "page-data.deletion",
        Done::Kept => "page-data.kept",
        Done::Untrusted => "page-account.untrusted",
        Done::Unlinked => "page-account.unlinked",
    });
    let known = Words::known(user.locale.as_str());
    let languages: Vec<Value> = LANGUAGES
        .into_iter()
        .map(|Language { tag, name, .. }| context! { tag, name, chosen => known == Some(tag) })
        .collect();
    let name = user.full_name.as_ref().map(FullName::as_str).unwrap_or_default();
    let ties = ties::shown(app, ctx, visit, browser).await?;
    let context = context! {
        save => visit.action(app, PROFILE),
        end => visit.action(app, END),
        end_others => visit.action(app, END_OTHERS),
        email => user.email.as_str(),
        change_email => visit.action(app, email::PATH),
        lock => visit.action(app, lock::PATH),
        full_name => typed.unwrap_or(name),
        languages => languages,
        // A language that pages do not speak may still be that of the account.
        other_language => known.is_none().then(|| user.locale.as_str()),
        sessions => told,
        elsewhere => found.len() > 1,
        more => more,
        done => done.map(|id| app.pages.say(visit, id, &[])),
        wrong_name => &wrong.alert,
        due => user.deletion_due_at.map(Timestamp::to_minute),
        keep => visit.action(app, data::KEEP),
        ..context! { ..ties, ..frame(app, visit, browser, PATH) }
    };
    Ok(wrong.mark(app, app.pages.show(wrong.status(), "account.html", visit, context)))
}

/// What stands around every page of the account, that at `here` among them.
pub(super) fn frame(app: &App, visit: &Visit, browser: &Browser, here: &str) -> Value {
    let places: Vec<Value> = [
        (PATH, "page-account"),
        (password::PATH, "page-password"),
        (factor::PATH, "page-factor"),
        (passkeys::PATH, "page-passkeys"),
        (activity::PATH, "page-activity"),
        (data::PATH, "page-data"),
    ]
    .into_iter()
    .filter(|(path, _)| *path != password::PATH || passwords::are_on(app))
    .map(|(path, id)| {
        let (link, words) = (visit.action(app, path), app.pages.say(visit, id, &[]));
        context! { link, words, here => path == here }
    })
    .collect();
    context! {
        guard => browser.guard(),
        owned_by => browser.caller.user.email.as_str(),
        places => places,
        sign_out => visit.action(app, SIGN_OUT),
    }
}

/// Puts into words why something was not done that asks for the password; or says that another proof is
/// due first.
pub(super) fn why(
    app: &App,
    visit: &Visit,
    error: ChangeError,
) -> Result<Result<Wrong, StepUp>, Problem> {
    Ok(Ok(match error {
        ChangeError::StepUp(why) => return Ok(Err(why)),
        ChangeError::WrongPassword => {
            let words = app.pages.say(visit, "page-account.wrong-password", &[]);
            Wrong::because(error, words)
        }
        error @ ChangeError::DomainRefused => {
            let words = app.pages.say(visit, "page-register.domain", &[]);
            Wrong::because(error, words)
        }
        ChangeError::PasswordsOff(off) => {
            Wrong::because(off, app.pages.say(visit, "page-no-password", &[]))
        }
        ChangeError::Limited(exceeded) => Wrong::wait(&app.pages, visit, exceeded),
        ChangeError::Overloaded(busy) => Wrong::busy(&app.pages, visit, busy),
        error => return Err(error.into()),
    }))
}

fn describe(session: &Session, current: SessionId) -> Value {
    context! {
        id => session.id.to_string(),
        device => &session.device,
        address => &session.ip_address,
        since => session.created_at.to_minute(),
        last => session.last_active_at.to_minute(),
        current => session.id == current,
    }
}

/// What somebody changes of themselves.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    guard: SecretString,
    full_name: String,
    locale: Locale,
}

impl Guarded for Profile {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Changes name and language.
pub(super) async fn save(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, profile): Own<Profile>,
) -> Result<Response, Problem> {
    let user = &browser.caller.user;
    let Ok(name) = setup::name(&profile.full_name) else {
        let words = app.pages.say(&visit, "page-setup.wrong-name", &[]);
        let wrong = Wrong::because(Code::ValidationFailed, words);
        let (visit, typed) = (visit.answered(), Some(profile.full_name.as_str()));
        return show(&app, &ctx, &visit, &browser, None, typed, &wrong).await;
    };
    // Only what changed is written down as changed.
    let change = if name == user.full_name { Change::Keep } else { Change::To(name) };
    let locale = (profile.locale != user.locale).then_some(profile.locale);
    accounts::change_profile(&app, &ctx, &browser.caller, change, locale).await?;
    Ok(done(&app, &visit, "profile"))
}

/// A session to end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    guard: SecretString,
    session: SessionId,
}

impl Guarded for End {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Ends a session; one that has ended meanwhile is as good.
pub(super) async fn end(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, End { session, .. }): Own<End>,
) -> Result<Response, Problem> {
    let owner = browser.caller.user.id;
    sessions::revoke(&app, &ctx, Some(owner), owner, session, "user_revoked").await?;
    Ok(done(&app, &visit, "ended"))
}

/// Ends all sessions but the one that asks.
pub(super) async fn end_others(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, _): Own<Pressed>,
) -> Result<Response, Problem> {
    let (owner, kept) = (browser.caller.user.id, Some(browser.caller.session));
    sessions::revoke_all_but(&app, &ctx, Some(owner), owner, kept, "logout_others").await?;
    Ok(done(&app, &visit, "ended-others"))
}

/// Goes back to the account, where it is said `what` was done.
pub(super) fn done(app: &App, visit: &Visit, what: &str) -> Response {
    to(&format!("{}&done={what}", visit.action(app, PATH)))
}
