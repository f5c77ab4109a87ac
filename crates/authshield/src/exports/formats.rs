//! An event in the words of those who collect the events of many programs.

use serde_json::{Map, Value, json};

use super::catalogue::{
    ACCESS, ACCOUNT, API, APPLICATION, AUTHENTICATION, DETECTION, OTHER, class_name, classify,
};
use crate::audit::Entry;
use crate::config::EventFormat;
use crate::kernel::UserId;

/// The program, as others call it.
const PRODUCT: &str = "AuthShield";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Writes `entry` as one line, without its end.
#[must_use]
pub fn write(format: EventFormat, entry: &Entry) -> String {
    match value(format, entry) {
        Value::String(line) => line,
        object => object.to_string(),
    }
}

/// Writes `entry` as a JSON value: an object, or a string that holds a line.
pub(super) fn value(format: EventFormat, entry: &Entry) -> Value {
    match format {
        EventFormat::Json => serde_json::to_value(entry).expect("an event is plain data"),
        EventFormat::Ocsf => ocsf(entry),
        EventFormat::Ecs => ecs(entry),
        EventFormat::Cef => Value::String(cef(entry)),
    }
}

/// The address, if somebody on the network did it: a command has none.
fn address(entry: &Entry) -> Option<&str> {
    entry.ip_address.as_deref().filter(|address| *address != "0.0.0.0")
}

/// Leaves out what is not known.
fn known(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, known(value)));
            let is_something =
                |(_, value): &(String, Value)| !value.is_null() && *value != json!({});
            Value::Object(members.filter(is_something).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn ocsf(entry: &Entry) -> Value {
    let class = classify(&entry.code, &entry.data.0);
    let (uid, activity) = class.ocsf;
    let severity = match class.severity {
        0..=1 => 1,
        2..=3 => 2,
        4..=5 => 3,
        6..=7 => 4,
        _ => 5,
    };
    // 0 is "unknown", 1 is "user".
    let user = |id: Option<UserId>| json!({ "uid": id, "type_id": u8::from(id.is_some()) });
    let product = json!({ "name": PRODUCT, "vendor_name": PRODUCT, "version": VERSION });
    let mut event = known(json!({
        "metadata": {
            "version": "1.3.0",
            "uid": entry.id,
            "event_code": entry.code,
            "correlation_uid": entry.request_id,
            "product": product,
        },
        "class_uid": uid,
        "class_name": class_name(uid),
        "category_uid": uid / 1000,
        "activity_id": activity,
        "activity_name": (activity == OTHER).then_some(&entry.code),
        "type_uid": uid * 100 + activity,
        "severity_id": severity,
        "status_id": if class.succeeded { 1 } else { 2 },
        "status_detail": entry.reason,
        "time": entry.at.as_microsecond() / 1000,
        "actor": { "user": user(entry.actor_id) },
        "session": { "uid": entry.session_id },
        "src_endpoint": { "ip": address(entry), "location": { "country": entry.country() } },
        "http_request": { "user_agent": entry.user_agent.as_deref().filter(|it| !it.is_empty()) },
    }));
    // What a class asks for besides.
    match uid {
        ACCOUNT | AUTHENTICATION | ACCESS => event["user"] = known(user(entry.user_id)),
        DETECTION => event["finding_info"] = json!({ "uid": entry.id, "title": entry.code }),
        APPLICATION => event["app"] = product,
        API => event["api"] = json!({ "operation": entry.code }),
        _ => {}
    }
    if uid == AUTHENTICATION && entry.data.0["amr"].is_array() {
        let several = entry.data.0["amr"].as_array().is_some_and(|amr| amr.contains(&json!("mfa")));
        event["is_mfa"] = json!(several);
    }
    if entry.data.0 != json!({}) {
        event["unmapped"] = entry.data.0.clone();
    }
    event
}

fn outcome(succeeded: bool) -> &'static str {
    if succeeded { "success" } else { "failure" }
}

fn ecs(entry: &Entry) -> Value {
    let class = classify(&entry.code, &entry.data.0);
    let mut event = known(json!({
        "@timestamp": entry.at,
        "ecs": { "version": "8.17.0" },
        "event": {
            "id": entry.id,
            "kind": if class.severity >= 8 { "alert" } else { "event" },
            "action": entry.code,
            "reason": entry.reason,
            "category": [class.ecs.0],
            "type": [class.ecs.1],
            "outcome": outcome(class.succeeded),
            "severity": class.severity,
            "provider": "authshield",
            "dataset": "authshield.audit",
        },
        "service": { "name": "authshield", "version": VERSION },
        "user": {
            "id": entry.actor_id.or(entry.user_id),
            "target": { "id": entry.user_id.filter(|user| entry.actor_id.is_some_and(|it| it != *user)) },
        },
        "source": { "ip": address(entry), "geo": { "country_iso_code": entry.country() } },
        "user_agent": { "original": entry.user_agent.as_deref().filter(|it| !it.is_empty()) },
        "http": { "request": { "id": entry.request_id.as_deref().filter(|it| *it != "command") } },
        "authshield": { "session_id": entry.session_id },
    }));
    if entry.data.0 != json!({}) {
        event["authshield"]["data"] = entry.data.0.clone();
    }
    event
}

/// Escapes what has a meaning in the head of a line of CEF.
fn head(text: &str) -> String {
    plain(text).replace('\\', "\\\\").replace('|', "\\|")
}

/// Escapes what has a meaning in the rest of it.
fn extension(text: &str) -> String {
    plain(text).replace('\\', "\\\\").replace('=', "\\=")
}

/// An event is one line, whatever somebody sent.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn cef(entry: &Entry) -> String {
    let class = classify(&entry.code, &entry.data.0);
    let words = entry.code.to_lowercase().replace('_', " ");
    let mut line = format!(
        "CEF:0|{PRODUCT}|{PRODUCT}|{VERSION}|{}|{}|{}|",
        head(&entry.code),
        head(&words),
        class.severity
    );
    let data = (entry.data.0 != json!({})).then(|| entry.data.0.to_string());
    let id = |id: Option<UserId>| id.map(|id| id.to_string());
    let fields = [
        ("rt", Some((entry.at.as_microsecond() / 1000).to_string())),
        ("externalId", Some(entry.id.to_string())),
        ("outcome", Some(outcome(class.succeeded).to_owned())),
        ("reason", entry.reason.clone()),
        ("src", address(entry).map(ToOwned::to_owned)),
        ("suid", id(entry.actor_id)),
        ("duid", id(entry.user_id)),
        ("requestClientApplication", entry.user_agent.clone().filter(|text| !text.is_empty())),
        ("cs1Label", entry.session_id.map(|_| "session".to_owned())),
        ("cs1", entry.session_id.map(|id| id.to_string())),
        ("cs2Label", entry.request_id.as_ref().map(|_| "request".to_owned())),
        ("cs2", entry.request_id.clone()),
        ("cs3Label", data.as_ref().map(|_| "data".to_owned())),
        ("cs3", data),
        ("cs4Label", entry.country().map(|_| "country".to_owned())),
        ("cs4", entry.country().map(ToOwned::to_owned)),
    ];
    let fields = fields.into_iter().filter_map(|(name, text)| Some((name, extension(&text?))));
    let fields: Vec<_> = fields.map(|(name, text)| format!("{name}={text}")).collect();
    line += &fields.join(" ");
    line
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use onesql::{Json, Timestamp};
    use uuid::Uuid;

    use super::*;
    use crate::audit::CODES;

    fn entry(code: &str) -> Entry {
        Entry {
            id: Uuid::from_u128(1).into(),
            at: Timestamp::from_microsecond(1_800_000_000_123_456),
            code: code.into(),
            reason: Some("wrong_password".into()),
            actor_id: None,
            user_id: Some(Uuid::from_u128(2).into()),
            session_id: None,
            ip_address: Some("192.0.2.1".into()),
            user_agent: Some("curl/8".into()),
            request_id: Some("r1".into()),
            data: Json(json!({})),
        }
    }

    #[test]
    fn an_event_is_what_others_expect() {
        let entry = entry("LOGIN_FAILED");
        let pretty = |text: String| {
            let value: Value = serde_json::from_str(&text).unwrap();
            format!("{:#}", crate::kernel::sorted(value)).replace(VERSION, "[version]")
        };
        assert_snapshot!("login_failed_ocsf", pretty(write(EventFormat::Ocsf, &entry)));
        assert_snapshot!("login_failed_ecs", pretty(write(EventFormat::Ecs, &entry)));
        assert_snapshot!(
            write(EventFormat::Cef, &entry).replace(VERSION, "[version]"),
            @"CEF:0|AuthShield|AuthShield|[version]|LOGIN_FAILED|login failed|4|rt=1800000000123 externalId=00000000-0000-0000-0000-000000000001 outcome=failure reason=wrong_password src=192.0.2.1 duid=00000000-0000-0000-0000-000000000002 requestClientApplication=curl/8 cs2Label=request cs2=r1"
        );
    }

    #[test]
    fn a_country_is_where_others_look_for_it() {
        let from_sweden = Entry { data: Json(json!({ "country": "SE" })), ..entry("LOGIN_FAILED") };
        let ocsf = value(EventFormat::Ocsf, &from_sweden);
        assert_eq!(ocsf["src_endpoint"]["location"]["country"], "SE");
        let ecs = value(EventFormat::Ecs, &from_sweden);
        assert_eq!(ecs["source"]["geo"]["country_iso_code"], "SE");
        let cef = write(EventFormat::Cef, &from_sweden);
        assert!(cef.ends_with("cs4Label=country cs4=SE"), "{cef}");
    }

    /// What OCSF and ECS ask of every event, whichever it is.
    #[test]
    fn every_event_has_what_its_class_asks_for() {
        for code in CODES {
            let entry = entry(code);
            let ocsf: Value = serde_json::from_str(&write(EventFormat::Ocsf, &entry)).unwrap();
            let asked = match ocsf["class_uid"].as_u64().unwrap() {
                2004 => "finding_info",
                3001 | 3002 | 3005 => "user",
                6002 => "app",
                _ => "api",
            };
            for member in ["metadata", "type_uid", "severity_id", "status_id", "time", asked] {
                assert!(!ocsf[member].is_null(), "{code} has no {member}: {ocsf}");
            }
            let ecs: Value = serde_json::from_str(&write(EventFormat::Ecs, &entry)).unwrap();
            assert!(ecs["@timestamp"].is_string() && ecs["event"]["category"][0].is_string());
            assert!(write(EventFormat::Cef, &entry).starts_with("CEF:0|"), "{code}");
        }
        let mut signed_in = entry("LOGIN_SUCCEEDED");
        for (amr, several) in [(json!(["pwd"]), false), (json!(["pwd", "otp", "mfa"]), true)] {
            signed_in.data = Json(json!({ "amr": amr }));
            let ocsf: Value = serde_json::from_str(&write(EventFormat::Ocsf, &signed_in)).unwrap();
            assert_eq!((&ocsf["type_uid"], &ocsf["is_mfa"]), (&json!(300_201), &json!(several)));
        }
    }

    /// J10: whatever somebody sends, an event is one line with its own fields.
    #[test]
    fn j10_what_somebody_sends_makes_no_line_and_no_field() {
        let evil = Entry {
            user_agent: Some("x src=6.6.6.6 | \\ \r\nCEF:0|Evil\u{1b}[2J".into()),
            ..entry("LOGIN|FAILED\n")
        };
        let line = write(EventFormat::Cef, &evil);
        assert!(!line.contains(['\n', '\r', '\u{1b}']), "{line}");
        assert!(
            line.contains("|LOGIN\\|FAILED |") && line.contains("x src\\=6.6.6.6 | \\\\ "),
            "{line}"
        );
        assert_eq!(line.matches(" src=").count(), 1, "{line}");
        for format in [EventFormat::Json, EventFormat::Ocsf, EventFormat::Ecs] {
            assert_eq!(write(format, &evil).lines().count(), 1);
        }
    }
}
