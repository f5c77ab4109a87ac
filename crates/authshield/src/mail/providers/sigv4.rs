//! AWS Signature Version 4 for one request at a time. Pure.
//!
//! Written out here since the one shape that is needed takes half a page over HMAC, and a signing crate
//! brings a dozen others; the published vectors are below.

use aws_lc_rs::digest::{SHA256, digest};
use url::Url;
use zeroize::Zeroizing;

use super::signature::{hex, hmac_sha256};
use crate::kernel::Timestamp;

/// Who signs, and for what.
pub(super) struct Signer<'a> {
    pub(super) key_id: &'a str,
    pub(super) secret: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Signer<'_> {
    /// Returns the headers `x-amz-date` and `authorization` of a request that has `headers` besides, in
    /// lower case, and no query.
    pub(super) fn sign(
        &self,
        method: &str,
        url: &Url,
        headers: &[(&str, &str)],
        body: &[u8],
        now: Timestamp,
    ) -> [(&'static str, String); 2] {
        let at = instant(now);
        let day = &at[..8];
        let host = match (url.host_str().unwrap_or_default(), url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let mut all: Vec<_> = headers.to_vec();
        all.extend([("host", host.as_str()), ("x-amz-date", at.as_str())]);
        all.sort_unstable();
        let mut canonical = String::new();
        for (name, value) in &all {
            canonical.extend([*name, ":", value.trim(), "\n"]);
        }
        let signed = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let hash = hex(digest(&SHA256, body).as_ref());
        let request = format!("{method}\n{}\n\n{canonical}\n{signed}\n{hash}", url.path());
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let request = hex(digest(&SHA256, request.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{request}");
        let secret = Zeroizing::new(format!("AWS4{}", self.secret));
        let mut key = Zeroizing::new(secret.as_bytes().to_vec());
        for part in [day, self.region, self.service, "aws4_request"] {
            key = Zeroizing::new(hmac_sha256(&key, &[part.as_bytes()]));
        }
        let signature = hex(&hmac_sha256(&key, &[to_sign.as_bytes()]));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            self.key_id
        );
        [("x-amz-date", at), ("authorization", authorization)]
    }
}

/// Returns an instant as `20150830T123600Z`.
fn instant(now: Timestamp) -> String {
    let whole: String = now.to_string().chars().take_while(|c| *c != '.' && *c != 'Z').collect();
    whole.chars().filter(|c| c.is_ascii_digit() || *c == 'T').chain(['Z']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNER: Signer<'_> = Signer {
        key_id: "AKIDEXAMPLE",
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        region: "us-east-1",
        service: "service",
    };

    /// Vectors of the published test suite for Signature Version 4.
    #[test]
    fn the_published_vectors_come_out() {
        let now: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        let url: Url = "https://example.amazonaws.com/".parse().unwrap();
        for (method, signature) in [
            ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ] {
            let [(_, at), (_, authorization)] = SIGNER.sign(method, &url, &[], b"", now);
            assert_eq!(at, "20150830T123600Z");
            assert_eq!(
                authorization,
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders=host;x-amz-date, Signature={signature}"
                ),
            );
        }
    }
}
