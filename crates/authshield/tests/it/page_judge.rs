//! What is asked of every page that a browser shows: axe finds nothing, in either colour scheme, nothing moves
//! once it was drawn, and it weighs little.
//!
//! axe is a program of others (npm), which `cargo xtask test` installs beside the OpenID provider; without
//! `AUTHSHIELD_TEST_UPSTREAM` the rest is asked alone.

use std::path::Path;

use fantoccini::Client;
use serde_json::{Value, json};

use crate::browser::{prefer, variable};

/// WCAG 2.2 at level AA, and what axe's authors think good besides.
const RULES: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/// What one page may take over the wire, with its style sheet, script and mark, in bytes.
const WEIGHT: u64 = 60_000;

/// How far things moved after they were drawn (<https://web.dev/articles/cls>): what somebody had just pressed
/// for does not count, unless told so, and a picture taken is like that; nor what makes way for details that
/// somebody opened. And what the page and all that it loaded took, as sent; what came from the cache counts.
const MEASURE: &str = "
    const done = arguments[arguments.length - 1];
    requestAnimationFrame(() => requestAnimationFrame(() => {
        const observer = new PerformanceObserver(() => {});
        observer.observe({ type: 'layout-shift', buffered: true });
        const shifts = observer.takeRecords().filter(shift => arguments[0] || !shift.hadRecentInput);
        const loads = ['navigation', 'resource'].flatMap(type => performance.getEntriesByType(type));
        const opened = document.querySelector('details[open]') !== null;
        const sent = load => Math.max(load.transferSize, load.encodedBodySize);
        done([
            opened ? 0 : shifts.reduce((sum, shift) => sum + shift.value, 0),
            loads.reduce((sum, load) => sum + sent(load), 0),
            matchMedia('(prefers-color-scheme: dark)').matches,
        ]);
    }));";

const AXE: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'], runOnly: arguments[0] }).then(
        found => done(found.violations.map(rule =>
            `${rule.impact}: ${rule.help} (${rule.id}) at ${rule.nodes.map(node => node.html).join(' and ')}`)),
        error => done([String(error)]));";

/// Returns what is wrong with the page that `client` shows.
pub(crate) async fn judge(client: &Client) -> Vec<String> {
    let (moved, weight, dark) = measure(client, false).await;
    let mut wrong = Vec::new();
    if moved > 0.0 {
        wrong.push(format!("things moved after they were drawn, by {moved}"));
    }
    // The page to try the API loads the API's description, on purpose.
    if weight >= WEIGHT && !client.current_url().await.unwrap().path().ends_with("/docs") {
        wrong.push(format!("it weighs {weight} bytes"));
    }
    let Some(folder) = variable("AUTHSHIELD_TEST_UPSTREAM") else { return wrong };
    let axe = Path::new(&folder).join("node_modules/axe-core/axe.min.js");
    client.execute(&std::fs::read_to_string(axe).unwrap(), Vec::new()).await.unwrap();
    wrong.extend(ask(client, json!({ "type": "tag", "values": RULES })).await);
    // In the other colours only colours differ.
    let (this, other) = if dark { ("dark", "light") } else { ("light", "dark") };
    prefer(client, other).await.unwrap();
    let colours = ask(client, json!({ "type": "rule", "values": ["color-contrast"] })).await;
    wrong.extend(colours.into_iter().map(|found| format!("{other}: {found}")));
    prefer(client, this).await.unwrap();
    wrong
}

async fn measure(client: &Client, every: bool) -> (f64, u64, bool) {
    let measured = client.execute_async(MEASURE, vec![json!(every)]).await.unwrap();
    serde_json::from_value(measured).unwrap()
}

async fn ask(client: &Client, rules: Value) -> Vec<String> {
    let found = client.execute_async(AXE, vec![rules]).await.unwrap();
    serde_json::from_value(found).unwrap()
}

/// Spoils the page that `client` shows, and fails unless that is noticed: or nothing of the above says anything.
pub(crate) async fn notices_a_bad_page(client: &Client) {
    let spoil = "
        const bad = document.createElement('div');
        bad.innerHTML = '<input><p>faint</p><img src=x>';
        bad.style.cssText = 'height: 300px; color: #ccc; background: #ddd';
        document.body.prepend(bad);";
    let (before, weight, _) = measure(client, true).await;
    client.execute(spoil, Vec::new()).await.unwrap();
    let (moved, _, _) = measure(client, true).await;
    assert!(moved > before, "nothing moved: {before}, {moved}");
    assert!((1_000..WEIGHT).contains(&weight), "a page of {weight} bytes");
    let wrong = judge(client).await.join("\n");
    for rule in ["(label)", "(image-alt)", "(color-contrast)"] {
        let told = variable("AUTHSHIELD_TEST_UPSTREAM").is_some();
        assert_eq!(wrong.contains(rule), told, "{rule}: {wrong}");
    }
}
