//! PAGE-1: what an operator made of pages and mails.

use super::check::{About, Check};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::assemble::try_theme;
use crate::problem::chain;
use crate::theme::Unfit;

/// The files that pages and mails are made of.
pub(super) struct Files;

impl Check for Files {
    const ABOUT: About = About {
        id: "PAGE-1",
        title: "Own pictures and templates",
        verifies: "A logo and an icon can be read and are small pictures; each of the own templates of pages and mails is \
                   one that AuthShield uses, is well formed, and does what ours does with all that it can be given, in \
                   every language: no form, field or link is lost, and nothing is shown unescaped.",
        expected: "own files that can take the place of ours, or none",
        remedy: "Correct the file; `authshield config templates` shows ours. Until then the server does not start.",
        settings: &["pages.templates", "pages.logo", "pages.icon"],
        parents: &["CFG-2"],
        // A server that starts tries them itself, and takes none up later.
        policy: Policy { gate: Act::Fail, start: Act::Nothing, running: Act::Nothing },
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let pages = &at.config().pages;
        if [&pages.templates, &pages.logo, &pages.icon].into_iter().all(Option::is_none) {
            return Verdict::skip("none are used (pages.templates, pages.logo, pages.icon)");
        }
        let config = at.config().clone();
        match tokio::task::spawn_blocking(move || try_theme(&config)).await {
            Ok(Ok(())) => Verdict::pass("every one can take the place of ours"),
            Ok(Err(Unfit(reasons))) => {
                let all = reasons.join("; ");
                reasons.into_iter().skip(1).fold(Verdict::fail(all), Verdict::evidence)
            }
            Err(error) => Verdict::error(chain(&error)),
        }
    }
}
