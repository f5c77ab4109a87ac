//! Which colours go together, by WCAG 2.2: words and what they stand on differ by 4.5 to 1 at least.

use crate::config::Colour;

/// What words must differ by from what they stand on (success criterion 1.4.3, level AA).
const ENOUGH: f64 = 4.5;

pub(super) const WHITE: Colour = Colour([0xff; 3]);
const BLACK: Colour = Colour([0; 3]);

/// What links stand on, and what they are mixed with until they can be read there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground {
    /// The colours of `style.css`: the sheet, and what is around it.
    under: [Colour; 2],
    towards: Colour,
}

pub(super) const LIGHT: Ground =
    Ground { under: [WHITE, Colour([0xf2, 0xf4, 0xf8])], towards: BLACK };
pub(super) const DARK: Ground =
    Ground { under: [Colour([0x17, 0x1c, 0x25]), Colour([0x0e, 0x12, 0x18])], towards: WHITE };

/// What follows from an accent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    /// The accent as it was chosen.
    pub accent: Colour,
    /// The same below a pointer.
    pub deep: Colour,
    /// Words on either.
    pub words: Colour,
    /// Links: the accent, or as much of it as can be read.
    pub link: Colour,
}

impl Scheme {
    pub(super) fn of(accent: Colour, ground: Ground) -> Self {
        let words = words_on(accent);
        let away = if words == WHITE { BLACK } else { WHITE };
        let readable =
            |link: &Colour| ground.under.iter().all(|under| contrast(*link, *under) >= ENOUGH);
        let link = (0..=20)
            .map(|step| mixed(accent, ground.towards, f64::from(step) / 20.0))
            .find(readable)
            .unwrap_or(ground.towards);
        Self { accent, deep: mixed(accent, away, 0.15), words, link }
    }
}

/// Says what is wrong with the name of a service: it stands at the head of each page, and in each mail.
pub(super) fn unfit_name(name: &str) -> Option<&'static str> {
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if name.chars().count() > 64 {
        Some("pages.name has more than 64 characters; make it shorter")
    } else if !name.chars().any(char::is_alphanumeric) {
        Some("pages.name shows nothing that can be read; use letters or digits")
    } else if name.chars().any(|c| c.is_control() || turns(c)) {
        Some("pages.name has a character that changes what is around it; take it out")
    } else {
        None
    }
}

/// Returns white, or black where white cannot be read. One of them always can: the least that the better of both
/// has is 4.58.
pub(super) fn words_on(ground: Colour) -> Colour {
    if contrast(WHITE, ground) >= ENOUGH { WHITE } else { BLACK }
}

/// Returns how much two colours differ: from 1, not at all, to 21.
#[must_use]
pub fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(Colour(parts): Colour) -> f64 {
    let [red, green, blue] = parts.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn mixed(Colour(from): Colour, Colour(to): Colour, share: f64) -> Colour {
    let mix = |from: u8, to: u8| {
        let (from, to) = (f64::from(from), f64::from(to));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two bytes there are only bytes"
        )]
        let mixed = (from + (to - from) * share).round() as u8;
        mixed
    };
    Colour([mix(from[0], to[0]), mix(from[1], to[1]), mix(from[2], to[2])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert!((contrast(WHITE, BLACK) - 21.0).abs() < 1e-9);
        assert!((contrast(WHITE, WHITE) - 1.0).abs() < 1e-9);
        // The grey that everybody knows: just enough on white.
        assert!((contrast(Colour([0x76; 3]), WHITE) - 4.54).abs() < 0.005);
    }

    #[test]
    fn whatever_the_accent_everything_can_be_read() {
        let steps = (0..=255).step_by(15).map(|step| u8::try_from(step).unwrap());
        let steps: Vec<u8> = steps.collect();
        for red in &steps {
            for green in &steps {
                for blue in &steps {
                    let accent = Colour([*red, *green, *blue]);
                    for ground in [LIGHT, DARK] {
                        let Scheme { deep, words, link, .. } = Scheme::of(accent, ground);
                        assert!(contrast(words, accent) >= ENOUGH, "{words} on {accent}");
                        assert!(contrast(words, deep) >= ENOUGH, "{words} on {deep}");
                        for under in ground.under {
                            assert!(contrast(link, under) >= ENOUGH, "{link} on {under}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_name_is_short_and_can_be_read() {
        let (longest, long) = ("é".repeat(64), "é".repeat(65));
        let bad = [long.as_str(), "", "\u{200b}", "\u{feff}", "A\u{202e}B", "A\nB", "…"];
        assert!(bad.iter().all(|name| unfit_name(name).is_some()));
        let good = ["Acme", longest.as_str(), "Müller & Söhne", "عائشة", "株式会社"];
        assert!(good.iter().all(|name| unfit_name(name).is_none()));
    }

    #[test]
    fn an_accent_that_can_be_read_is_left_alone() {
        let teal = Colour([0x0f, 0x76, 0x6e]);
        let light = Scheme::of(teal, LIGHT);
        assert_eq!((light.link, light.words), (teal, WHITE));
        let dark = Scheme::of(teal, DARK);
        assert_ne!(dark.link, teal);
        assert_eq!(Scheme::of(Colour([0xff, 0xd6, 0x00]), LIGHT).words, BLACK);
    }

    #[test]
    fn links_stand_on_the_colours_of_the_style_sheet() {
        let style = include_str!("../../assets/style.css");
        let (light, dark) = style.split_once("@media (prefers-color-scheme: dark)").unwrap();
        for (part, ground) in [(light, LIGHT), (dark, DARK)] {
            for (name, colour) in ["sheet", "ground"].into_iter().zip(ground.under) {
                let line = format!("--{name}: {colour};");
                assert!(part.contains(&line), "{line}");
            }
        }
    }
}
