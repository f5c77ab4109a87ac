//! What a browser sends back.

use axum::http::{HeaderMap, header};

/// Returns the cookies of a request, name and value, in their order (RFC 6265, 4.2.1). Other applications of
/// the domain put there what they like: what is no text is passed over, and all else is read.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_put_there_hides_nothing() {
        let mut headers = HeaderMap::new();
        for line in [&b"a=1;b=2 ; c"[..], b"d=J\xfcrgen; e=x=y", b""] {
            headers.append(header::COOKIE, line.try_into().expect("bytes"));
        }
        let found: Vec<_> = cookies(&headers).collect();
        assert_eq!(found, [("a", "1"), ("b", "2"), ("e", "x=y")]);
    }
}
