//! A picture of an operator's, served from here and shown as a picture only.

use std::path::Path;

use super::svg;

/// How large one may be, in bytes: a page that shows it stays below 60 kB.
const AT_MOST: u64 = 16 * 1024;
/// How many points a side of it may have: few bytes can stand for so many that browsers have no room for them.
const SIDE_AT_MOST: u32 = 2048;
/// What every PNG begins with.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

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
        if let Some(chunks) = content.strip_prefix(SIGNATURE) {
            judge_png(chunks)?;
            return Ok(Self { content, kind: "image/png" });
        }
        let text = std::str::from_utf8(&content).unwrap_or_default();
        if !text.contains("<svg") {
            return Err("is neither SVG nor PNG; save it as one of them".to_owned());
        }
        svg::wrong(text).map_or(Ok(()), Err)?;
        Ok(Self { content, kind: "image/svg+xml" })
    }
}

/// Judges what follows the signature of a PNG: its head, something in it, its end (PNG, third edition, 5 and 11.2).
fn judge_png(mut rest: &[u8]) -> Result<(), String> {
    let broken = || "is no whole PNG; save it again".to_owned();
    let (mut is_begun, mut has_points) = (false, false);
    loop {
        let (chunk, behind) = chunk(rest).ok_or_else(broken)?;
        match chunk {
            (b"IHDR", head) if !is_begun => judge_head(head).ok_or_else(broken)??,
            _ if !is_begun => return Err(broken()),
            (b"IDAT", _) => has_points = true,
            (b"IEND", []) if has_points && behind.is_empty() => return Ok(()),
            (b"IHDR" | b"IEND", _) => return Err(broken()),
            _ => {}
        }
        (is_begun, rest) = (true, behind);
    }
}

/// The kind of a part, and what is in it.
type Chunk<'b> = (&'b [u8; 4], &'b [u8]);

/// Splits a chunk off.
fn chunk(bytes: &[u8]) -> Option<(Chunk<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (data, rest) = rest.split_at_checked(u32::from_be_bytes(*length).try_into().ok()?)?;
    let (_sum, rest) = rest.split_first_chunk::<4>()?;
    Some(((kind, data), rest))
}

/// Judges the head of a PNG; `None` if it is none.
fn judge_head(head: &[u8]) -> Option<Result<(), String>> {
    let (width, rest) = head.split_first_chunk::<4>()?;
    let (height, rest) = rest.split_first_chunk::<4>()?;
    // Bits for each colour, and which colours.
    let is_known = matches!(
        rest,
        [1 | 2 | 4 | 8 | 16, 0, 0, 0, 0 | 1]
            | [8 | 16, 2 | 4 | 6, 0, 0, 0 | 1]
            | [1 | 2 | 4 | 8, 3, 0, 0, 0 | 1]
    );
    let sides = [width, height].map(|side| u32::from_be_bytes(*side));
    if !is_known || sides.contains(&0) {
        return None;
    }
    let [width, height] = sides;
    Some(if width.max(height) > SIDE_AT_MOST {
        Err(format!(
            "has {width} by {height} points, and {SIDE_AT_MOST} are the most; make it smaller"
        ))
    } else {
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG of one point, with another head, and cut off.
    fn png(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let parts: [&[u8]; 4] = [
            SIGNATURE,
            b"\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55",
            b"\0\0\0\x0aIDAT\x78\xda\x63\x60\0\0\0\x02\0\x01\xe5\x27\xde\xfc",
            b"\0\0\0\0IEND\xaeB`\x82",
        ];
        let mut content = parts.concat();
        change(&mut content);
        content
    }

    #[test]
    fn a_picture_is_small_and_of_a_kind_that_pages_show() {
        let svg = "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        assert_eq!(Picture::of(svg.into()).unwrap().kind, "image/svg+xml");
        assert_eq!(Picture::of(png(|_| ())).unwrap().kind, "image/png");
        for (content, why) in [
            (b"GIF89a".to_vec(), "neither SVG nor PNG"),
            (b"<html>".to_vec(), "neither SVG nor PNG"),
            (b"\xff\xfe<\0s\0v\0g\0".to_vec(), "neither SVG nor PNG"),
            (Vec::new(), "neither SVG nor PNG"),
            (b"<svg><g></svg>".to_vec(), "no whole SVG"),
            (b"<svg><SCRIPT>alert(1)</SCRIPT></svg>".to_vec(), "`<SCRIPT>`"),
            (SIGNATURE.to_vec(), "no whole PNG"),
            (png(|content| content.truncate(33)), "no whole PNG"),
            (png(|content| _ = content.pop()), "no whole PNG"),
            (png(|content| content.push(0)), "no whole PNG"),
            (png(|content| content[12] = b'X'), "no whole PNG"),
            (png(|content| content[19] = 0), "no whole PNG"),
            (png(|content| content[24] = 3), "no whole PNG"),
            (png(|content| content[25] = 5), "no whole PNG"),
            (png(|content| content[33] = 0xff), "no whole PNG"),
            (png(|content| content[18] = 0xff), "has 65281 by 1 points"),
        ] {
            let told = Picture::of(content).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
