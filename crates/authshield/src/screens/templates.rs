//! The templates of pages that are built in.

/// Names templates and holds their text.
macro_rules! embedded {
    ($($name:literal)*) => {
        &[$((
            concat!($name, ".html"),
            include_str!(concat!("../../templates/screens/", $name, ".html")),
        )),*]
    };
}

/// What no page is alone, and pages are made of.
#[cfg(test)]
pub(super) const PARTS: [&str; 8] = [
    "brand.html",
    "captcha.html",
    "fields.html",
    "footer.html",
    "form.html",
    "layout.html",
    "passkey.html",
    "place.html",
];

/// Every template.
pub(super) const EMBEDDED: &[(&str, &str)] = embedded! {
    "account" "activity" "add-passkey" "brand" "captcha" "code" "codes" "data" "docs" "email" "enrol" "factor"
    "fields" "footer" "forgot" "form" "home" "layout" "lock" "mail-code" "mail-link" "mail-sign-in" "message"
    "not_me" "onward" "passkey" "passkeys" "password" "place" "prove" "recovery-codes" "register" "reset"
    "second-factor" "setup" "sign-in" "verify"
};

/// The style sheet. An operator's does not take the place of ours: it follows it.
pub(super) const STYLE: (&str, &str) = ("style.css", include_str!("../../assets/style.css"));

/// Returns what an operator may have in the place of ours: every template, and the style sheet.
pub(crate) fn known() -> Vec<(&'static str, &'static str)> {
    EMBEDDED.iter().copied().chain([STYLE]).collect()
}
