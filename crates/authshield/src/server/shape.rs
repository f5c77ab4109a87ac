//! Requests of HTTP/1.1 that two readers could take for different ones (ASVS 5.0 V4.2.1, attack K06).
//!
//! What stands in front of this service may read them in another way, and what it then takes for a body
//! would be a request here, or the other way round. So they are refused, and the connection is closed.
//! (A length beside chunks does not come so far: it is not looked at, and the connection closed, as
//! RFC 9112, 6.3 has it.)

use axum::http::{Request, Version, header};

/// Returns what is wrong with the shape of a request, if something is.
pub(super) fn ambiguity<B>(request: &Request<B>) -> Option<&'static str> {
    if request.version() > Version::HTTP_11 {
        return None;
    }
    let headers = request.headers();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next()
        && (codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Some("`Transfer-Encoding` is `chunked`, or is not there (RFC 9112, 6.1).");
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    match (request.version(), hosts) {
        (Version::HTTP_11, 1) | (Version::HTTP_10, 0 | 1) => None,
        (Version::HTTP_11, _) => Some("Send one `Host` (RFC 9112, 3.2)."),
        _ => Some("Send at most one `Host`."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_in_two_ways_is_found() {
        for (version, headers, right) in [
            (Version::HTTP_11, &[("host", "a")] as &[_], true),
            (Version::HTTP_11, &[], false),
            (Version::HTTP_11, &[("host", "a"), ("host", "a")], false),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_11, &[("host", "a"), ("content-length", "1")], true),
            (Version::HTTP_11, &[("host", "a"), ("transfer-encoding", "Chunked")], true),
            (Version::HTTP_11, &[("host", "a"), ("transfer-encoding", "gzip, chunked")], false),
            (
                Version::HTTP_11,
                &[
                    ("host", "a"),
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                false,
            ),
            (Version::HTTP_2, &[], true),
        ] {
            let mut request = Request::builder().version(version);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(()).expect("a request");
            assert_eq!(ambiguity(&request).is_none(), right, "{version:?} {headers:?}");
        }
    }
}
