//! The page of all checks, made from their declarations.

use std::fmt::Write;

use super::check::Scope;
use super::policy::Act;

/// Returns `docs/src/reference/checks.md`.
fn document() -> String {
    let mut page = String::from(
        "<!-- Generated from crates/authshield/src/checks. -->\n\
         # Checks\n\n\
         What AuthShield looks at before it takes traffic (`authshield preflight`), when it starts, and\n\
         for as long as it runs. It is one list and one implementation for all three. A check whose\n\
         parent is bad is skipped, so the first failure is the one to mend.\n\n\
         The policy says what a bad result means *at the gate* / *at the start* / *while running*:\n\n\
         - `fail`: the gate is closed, the server does not start, a running service is degraded;\n\
         - `degrade`: a server starts and goes on, and its health says `degraded`;\n\
         - `page`: the same, and it will not mend itself, so somebody should be woken;\n\
         - `warn`: it is said; `nothing`: it is not looked at.\n\n\
         `checks.policy` changes it per check: `AUTHSHIELD_CHECKS_POLICY=\"SMTP-4=fail,DB-5=ignore\"`\n\
         (`fail`, `degrade`, `warn` or `ignore`). The JSON that `preflight --json` prints is described by\n\
         [preflight.schema.json](preflight.schema.json).\n\n\
         | Check | About | Policy |\n| --- | --- | --- |\n",
    );
    for about in super::all().iter().map(|entry| entry.about) {
        let anchor = about.id.to_lowercase();
        let _ =
            writeln!(page, "| [{}](#{anchor}) | {} | {} |", about.id, about.title, about.policy);
    }
    for about in super::all().iter().map(|entry| entry.about) {
        let _ = write!(page, "\n## {}\n\n**{}.** {}\n\n", about.id, about.title, about.verifies);
        let _ = writeln!(page, "- Expected: {}", about.expected);
        let _ = writeln!(page, "- Policy: {}", about.policy);
        if let (Some(every), Act::Fail | Act::Degrade | Act::Page | Act::Warn) =
            (about.every, about.policy.running)
        {
            let who = match about.scope {
                Scope::Node => "by every node",
                Scope::Service => "by one node for all",
            };
            let _ = writeln!(page, "- Repeated: every {}, {who}", words(every));
        }
        if about.listening && about.policy.start == Act::Fail {
            page.push_str("- At the start: as soon as it listens, and before it is ready\n");
        }
        let _ = writeln!(page, "- Side effect: {}", about.effect.as_str());
        if !about.parents.is_empty() {
            let _ = writeln!(page, "- Needs: {}", about.parents.join(", "));
        }
        if !about.settings.is_empty() {
            let settings: Vec<_> = about
                .settings
                .iter()
                .map(|name| format!("[`{name}`](configuration.md#{})", name.replace('.', "")))
                .collect();
            let _ = writeln!(page, "- Settings: {}", settings.join(", "));
        }
        let _ = writeln!(page, "- If it is bad: {}", about.remedy);
    }
    page
}

fn words(every: std::time::Duration) -> String {
    match every.as_secs() {
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

#[test]
fn generated_page_of_checks_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/checks.md");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(path, document()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, document(), "set UPDATE_GENERATED=1 and run this test to rewrite it");
}
