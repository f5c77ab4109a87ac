//! What pages and mails look like.

use std::path::PathBuf;

use super::setting::{Fallback, Kind, choice, settings};
use super::value::Value;

/// A colour of the screen: red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self([red, green, blue]) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Value for Colour {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        let wanted = || "a colour such as `#0f766e`".to_owned();
        let digits = text.strip_prefix('#').filter(|rest| rest.len() == 6).ok_or_else(wanted)?;
        // A sign would pass as a digit.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wanted());
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| wanted())?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }

    fn print(&self) -> Option<String> {
        Some(self.to_string())
    }
}

choice! {
    /// Which letters pages use. Each is one that the reader's device has: nothing is loaded.
    Font {
        /// Those of the device.
        System = "system",
        /// With serifs.
        Serif = "serif",
        /// Round ones.
        Rounded = "rounded",
    }
}

settings! {
    /// What pages and mails look like. Nothing of it can make them unreadable: whatever the colour, the words
    /// on it and the links are given the contrast that WCAG 2.2 asks for.
    Pages at "pages" "." {
        /// What the service is called on pages and in mails; unless set, as in `mail.from`, or else as its host.
        name: Option<String> {
            example: "Example",
            mistaken: &["BRAND", "BRAND_NAME", "PRODUCT_NAME", "APP_NAME", "SITE_NAME", "SERVICE_NAME"],
        }
        /// The colour of buttons and links.
        accent: Option<Colour> {
            example: "#0f766e",
            mistaken: &["ACCENT", "COLOR", "PRIMARY_COLOR", "BRAND_COLOR", "THEME_COLOR"],
        }
        /// The same where the reader's device is dark; unless set, `pages.accent` there, too.
        accent_dark: Option<Colour> {
            example: "#2dd4bf",
            mistaken: &["DARK_ACCENT", "DARK_COLOR", "PRIMARY_COLOR_DARK"],
        }
        /// How round the corners of buttons and fields are; those of the sheet are half as round again.
        corners: u32 {
            fallback: Fallback::Always("9"),
            unit: "pixels",
            bounds: Some((0, 24)),
            example: "4",
            mistaken: &["RADIUS", "BORDER_RADIUS", "CORNER_RADIUS"],
        }
        /// Which letters pages use; each is one that devices have, so that nothing is loaded.
        font: Font {
            fallback: Fallback::Always("system"),
            example: "serif",
            mistaken: &["FONT_FAMILY", "TYPEFACE"],
        }
        /// A picture that stands at the head of pages in the place of the mark and the name: SVG or PNG, at
        /// most 16 KiB. The name is what it is called for who cannot see it.
        logo: Option<PathBuf> {
            example: "/etc/authshield/logo.svg",
            mistaken: &["LOGO", "LOGO_FILE", "LOGO_URL", "LOGO_PATH", "BRAND_LOGO"],
        }
        /// The mark beside the name, and in the browser's tabs: a square picture, SVG or PNG, at most 16 KiB.
        icon: Option<PathBuf> {
            example: "/etc/authshield/icon.svg",
            mistaken: &["ICON", "FAVICON", "FAVICON_FILE"],
        }
        /// A folder with templates in the place of our own: `pages/*.html`, `pages/style.css`, `mail/layout.html`
        /// and `mail/layout.txt`. `authshield config templates` prints ours.
        templates: Option<PathBuf> {
            example: "/etc/authshield/templates",
            mistaken: &["TEMPLATES", "TEMPLATE_DIR", "TEMPLATES_DIR", "TEMPLATE_FOLDER", "THEME", "THEME_DIR"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_six_digits_and_nothing_else() {
        assert_eq!(Colour::parse("#0F766e").unwrap().to_string(), "#0f766e");
        for text in [
            "",
            "#",
            "0f766e",
            "#0f7",
            "#0f766e00",
            "#+f766e",
            "#0f766g",
            "teal",
            "#ffffff;}",
            "rgb(0 0 0)",
            "#0f766e ",
            "#é766e",
        ] {
            assert!(Colour::parse(text).is_err(), "{text}");
        }
    }
}
