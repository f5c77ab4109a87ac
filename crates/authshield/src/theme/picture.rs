//! A picture of an operator's, served from here and shown as a picture only.

use std::path::Path;

/// How large one may be, in bytes: a page that shows it stays below 60 kB.
const AT_MOST: u64 = 16 * 1024;

/// Its bytes, and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The file.
    pub content: Vec<u8>,
    /// Its media type.
    pub kind: &'static str,
}

impl Picture {
    /// Reads a file, or says behind the name of a setting what is wrong with it and what to do.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let shown = file.display();
        let content = super::read(file, AT_MOST).map_err(|why| format!("`{shown}` {why}"))?;
        Self::of(content).map_err(|why| format!("`{shown}` {why}"))
    }

    fn of(content: Vec<u8>) -> Result<Self, String> {
        if content.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Ok(Self { content, kind: "image/png" });
        }
        let text = std::str::from_utf8(&content).unwrap_or_default().to_ascii_lowercase();
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if !text.starts_with('<') || !text.contains("<svg") {
            return Err("is neither SVG nor PNG; save it as one of them".to_owned());
        }
        // Browsers run nothing in a picture, and its policy forbids it where it is opened alone. Who drew one with
        // a script wants to know that it does nothing.
        for element in ["<script", "<foreignobject"] {
            if text.contains(element) {
                return Err(format!("has `{element}`, which no picture needs; take it out"));
            }
        }
        Ok(Self { content, kind: "image/svg+xml" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_small_and_of_a_kind_that_pages_show() {
        let svg = "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        assert_eq!(Picture::of(svg.into()).unwrap().kind, "image/svg+xml");
        assert_eq!(Picture::of(b"\x89PNG\r\n\x1a\n\0".to_vec()).unwrap().kind, "image/png");
        for (content, why) in [
            (b"GIF89a".to_vec(), "neither SVG nor PNG"),
            (b"<html>".to_vec(), "neither SVG nor PNG"),
            (b"\xff\xfe<\0s\0v\0g\0".to_vec(), "neither SVG nor PNG"),
            (Vec::new(), "neither SVG nor PNG"),
            (b"<svg><SCRIPT>alert(1)</SCRIPT></svg>".to_vec(), "`<script`"),
            (b"<svg><foreignObject/></svg>".to_vec(), "`<foreignobject`"),
        ] {
            let told = Picture::of(content).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
