//! The HTML faces of the same stories: where people sign in and look after their account, and where the
//! links in mails lead.
//!
//! ```text
//! GET  /sign-in, POST                   ─ login::log_in::<Cookie>
//! POST /sign-in/passkey                 ─ passkeys::sign_in::<Cookie>
//! GET  /sign-in/mail, POST, /mail/code, /sign-in/link    ─ magic_link::ask, redeem
//! POST /sign-in/second-factor, /enrol   ─ second_factor::verify, confirm_enrolment
//! GET  /sign-in/at/{provider}, /sign-in/return ─ federation::begin, redeem::<Cookie>
//! GET  /sign-in/continue                ─ federation::hand_over: back to the application that asked
//! POST /sign-out                        ─ sessions::log_out
//! GET  /register, POST                  ─ registration::register
//! GET  /forgot-password, POST           ─ recovery::forgot
//! GET  /account, POST /account/…        ─ accounts, sessions, second_factor, trusted_devices, passkeys, federation,
//!                                         activity, own_data
//! GET  /verify-email ─ verify::ask      a button; looking at a link uses nothing up
//! POST /verify-email ─ verify::confirm  ─ verification::verify
//! GET  /reset-password, POST            ─ recovery::reset
//! GET  /not-me, POST                    ─ lockdown::not_me
//! GET  /setup, POST                     ─ registration::set_up
//! GET  /problems/{code}                 what the `type` of a problem leads to
//! GET  /docs                            a page to try the API, if the configuration wants it
//! ```
//!
//! Mail scanners follow links, so a GET or HEAD changes nothing: the button POSTs. No page has an inline script.
//! Those that use passkeys have one of ours, since browsers know no other way to them, and so have those whose form
//! asks for a captcha, or one of its provider's; all else works without.
//!
//! Cross-site request forgery: where links lead, it has nothing to ride on. All that such a form can do, it
//! can do because of the single-use token that it carries, and whoever can forge a form with that token
//! holds the link. All other forms are taken from our own pages only, and those of who is signed in only
//! with what such a page carries: `signed_in.rs` says how.

mod account;
mod activity;
mod assets;
mod captcha;
mod cookie;
mod data;
mod docs;
mod email;
mod factor;
mod forgot;
mod home;
mod link;
mod lock;
mod mail_code;
mod mail_form;
mod not_me;
mod onward;
mod page;
mod passkey;
mod passkeys;
mod password;
mod problems;
mod prove;
mod provider;
mod register;
mod reset;
mod rules;
mod samples;
mod second_factor;
mod setup;
mod sign_in;
mod signed_in;
mod templates;
mod ties;
mod verify;
mod visit;
mod wrong;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

pub use page::Pages;
pub(crate) use problems::Reader;
pub(crate) use templates::known as templates;

use crate::app::App;
use crate::frame;
use crate::limits::Rule;
use crate::limits::rules::{
    FEDERATION_PER_CLIENT, LOGIN_PER_CLIENT, MAIL_PER_CLIENT, PASSKEY_PER_CLIENT,
    REDEEM_PER_CLIENT, REGISTER_PER_CLIENT, SECOND_FACTOR_PER_CLIENT,
};

/// Returns every page.
pub fn routes(app: &App) -> Router<App> {
    let limited = from_fn_with_state((app.clone(), &REDEEM_PER_CLIENT), frame::limited);
    let routes = Router::new()
        .merge(people(app))
        .route("/", get(home::home))
        .route(verify::PATH, get(verify::ask).merge(post(verify::confirm).layer(limited.clone())))
        .route(
            mail_code::LINK,
            get(mail_code::open_link).merge(
                post(mail_code::press_link)
                    .layer(from_fn_with_state((app.clone(), &LOGIN_PER_CLIENT), frame::limited)),
            ),
        )
        .route(reset::PATH, get(reset::ask).merge(post(reset::set).layer(limited.clone())))
        .route(not_me::PATH, get(not_me::ask).merge(post(not_me::press).layer(limited.clone())))
        .route(setup::PATH, get(setup::ask).merge(post(setup::create).layer(limited)))
        .route("/problems", get(problems::codes))
        .route("/problems/{code}", get(problems::code))
        .route("/assets/style.css", get(assets::style))
        .route("/assets/passkeys.js", get(assets::passkeys))
        .route(assets::ICON, get(assets::icon))
        .route(assets::LOGO, get(assets::logo))
        .route("/assets/captcha.js", get(assets::captcha))
        .route("/favicon.ico", get(assets::icon));
    if app.config.docs.enabled {
        routes.route("/docs", get(docs::docs)).route("/assets/docs.js", get(assets::script))
    } else {
        routes
    }
}

/// Whoever comes here reads pages, whatever their program says that it accepts.
pub(crate) fn is_form(path: &str) -> bool {
    let forms = [
        verify::PATH,
        reset::PATH,
        setup::PATH,
        sign_in::PATH,
        sign_in::SIGN_OUT,
        register::PATH,
        forgot::PATH,
        account::PATH,
    ];
    forms.iter().any(|form| {
        path.strip_prefix(form).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Returns the pages where people sign in and look after their account. What costs the API's budget costs
/// the same here.
fn people(app: &App) -> Router<App> {
    let limited = |rule: &'static Rule| from_fn_with_state((app.clone(), rule), frame::limited);
    let second = limited(&SECOND_FACTOR_PER_CLIENT);
    Router::new()
        .route(
            sign_in::PATH,
            get(sign_in::ask).merge(post(sign_in::sign_in).layer(limited(&LOGIN_PER_CLIENT))),
        )
        .route(
            second_factor::VERIFY,
            get(second_factor::anew).merge(post(second_factor::verify).layer(second.clone())),
        )
        .route(
            second_factor::CONFIRM,
            get(second_factor::anew).merge(post(second_factor::confirm).layer(second.clone())),
        )
        .route(
            second_factor::SEND,
            get(second_factor::anew).merge(post(second_factor::send).layer(second.clone())),
        )
        .route(passkey::SECOND, post(passkey::ask_second).layer(second.clone()))
        .route(passkey::CHALLENGE, post(passkey::ask).layer(limited(&PASSKEY_PER_CLIENT)))
        .route(
            passkey::PATH,
            get(second_factor::anew)
                .merge(post(passkey::sign_in).layer(limited(&PASSKEY_PER_CLIENT))),
        )
        .route(onward::PATH, get(onward::go).layer(limited(&FEDERATION_PER_CLIENT)))
        .route(provider::LEAVE, get(provider::leave).layer(limited(&FEDERATION_PER_CLIENT)))
        .route(provider::RETURN, get(provider::come_back).layer(limited(&FEDERATION_PER_CLIENT)))
        .route(
            mail_code::PATH,
            get(mail_code::ask).merge(post(mail_code::send).layer(limited(&MAIL_PER_CLIENT))),
        )
        .route(
            mail_code::CODE,
            get(mail_code::type_code)
                .merge(post(mail_code::enter_code).layer(limited(&LOGIN_PER_CLIENT))),
        )
        .route(sign_in::RESEND, post(sign_in::resend).layer(limited(&MAIL_PER_CLIENT)))
        .route(sign_in::SIGN_OUT, post(sign_in::sign_out))
        .route(
            register::PATH,
            get(register::ask).merge(post(register::register).layer(limited(&REGISTER_PER_CLIENT))),
        )
        .route(
            forgot::PATH,
            get(forgot::ask).merge(post(forgot::send).layer(limited(&MAIL_PER_CLIENT))),
        )
        .route(account::PATH, get(account::see))
        .route(account::PROFILE, post(account::save))
        .route(account::END, post(account::end))
        .route(account::END_OTHERS, post(account::end_others))
        .route(ties::UNTRUST, post(ties::untrust))
        .route(ties::UNLINK, post(ties::unlink))
        .route(prove::PATH, post(prove::prove).layer(second.clone()))
        .route(prove::SEND, post(prove::send).layer(second.clone()))
        .route(prove::CHALLENGE, post(prove::challenge).layer(second))
        .route(passkeys::PATH, get(passkeys::see))
        .route(passkeys::ADD, get(passkeys::ask).post(passkeys::add))
        .route(passkeys::CHALLENGE, post(passkeys::challenge))
        .route(passkeys::RENAME, get(passkeys::see).post(passkeys::rename))
        .route(passkeys::REMOVE, get(passkeys::see).post(passkeys::remove))
        .route(password::PATH, get(password::ask).post(password::change))
        .route(email::PATH, get(email::ask).post(email::change))
        .route(lock::PATH, get(lock::ask).post(lock::press))
        .route(factor::PATH, get(factor::see))
        .route(factor::ADD, get(factor::anew).post(factor::add))
        .route(factor::CONFIRM, get(factor::anew).post(factor::confirm))
        .route(factor::CODES, get(factor::anew).post(factor::renew_codes))
        .route(factor::REMOVE, get(factor::anew).post(factor::remove))
        .route(activity::PATH, get(activity::see))
        .route(data::PATH, get(data::ask))
        .route(data::EXPORT, post(data::export))
        .route(data::DELETE, post(data::delete))
        .route(data::KEEP, post(data::keep))
        .layer(from_fn_with_state(app.clone(), signed_in::own_forms))
}
