//! Whatever is given, there is an answer.

use proptest::prelude::*;

use super::*;

/// Texts, and pieces that nearly mean something.
fn anything() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        any::<String>(),
        "[0-9]{1,25}[smhd]?",
        r"(https?|redis|sqlite|postgres|tcp)://[a-z0-9.:@/?#{}%\[\]_-]{0,30}",
        r#"[{}$<>"' #,*=_-]{1,8}"#,
        r"\[?[0-9a-f:.%]{1,20}\]?(:[0-9]{1,6})?",
    ];
    prop::collection::vec(pieces, 1..3).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_value_of_any_setting_is_taken_or_refused(
        at in 0..settings().count(),
        value in anything(),
        production: bool,
    ) {
        let setting = settings().nth(at).unwrap();
        let environment = if production { "production" } else { "development" };
        let sources = Sources::new()
            .env([("AUTHSHIELD_ENVIRONMENT", environment), (&*setting.env(), &value)])
            .set([format!("{}={value}", setting.name)]);
        match load(&sources) {
            Ok(loaded) => prop_assert!(show(&loaded).len() < show_json(&loaded).len()),
            Err(refused) => prop_assert!(!refused.refusals.is_empty()),
        }
    }

    #[test]
    fn any_name_and_any_file_get_an_answer(name in "[A-Za-z_]{0,24}", text in anything()) {
        let sources = Sources::new().env([(var(&name), &text)]).file("a.toml", text.clone());
        if let Err(refused) = load(&sources) {
            prop_assert!(!refused.to_string().is_empty());
        }
        let _ = explain(&name);
    }
}
