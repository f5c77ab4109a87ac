//! The rules: plain functions of the file.

use serde_json::Value;

use super::{Finding, Severity};

/// What a service is for, by its image, its mounts and its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Database,
    Cache,
    /// AuthShield, serving.
    Server,
    /// AuthShield, with another command: `preflight`, `migrate run`.
    Step,
    /// What shows metrics: Prometheus, Grafana, Alertmanager.
    Watcher,
    Other,
}

/// Where databases keep their files.
const DATA: [&str; 4] = ["/var/lib/postgresql", "/var/lib/mysql", "/var/lib/authshield", "/data"];

struct Service<'f> {
    name: &'f str,
    body: &'f Value,
    role: Role,
}

/// Says what is dangerous in a file.
#[must_use]
pub fn judge(file: &Value) -> Vec<Finding> {
    let Some(services) = file["services"].as_object() else { return Vec::new() };
    let services: Vec<Service<'_>> = services
        .iter()
        .map(|(name, body)| Service { name, body, role: role(name, body) })
        .collect();
    let mut findings = Vec::new();
    for service in &services {
        volumes(file, service, &mut findings);
        ports(service, &mut findings);
        secrets(service, &mut findings);
        eviction(service, &mut findings);
        image(service, &mut findings);
        confinement(service, &mut findings);
        if service.role == Role::Server {
            gate(service, &services, &mut findings);
        }
    }
    findings
}

fn say(
    findings: &mut Vec<Finding>,
    severity: Severity,
    id: &'static str,
    service: &Service<'_>,
    message: impl Into<String>,
) {
    let (service, message) = (service.name.to_owned(), message.into());
    findings.push(Finding { id, severity, service, message });
}

/// Returns the words of a command, whether it is a text or a list.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn role(name: &str, body: &Value) -> Role {
    let image = body["image"].as_str().unwrap_or_default();
    let image = image.split('@').next().unwrap_or_default();
    let image = image.rsplit('/').next().unwrap_or_default();
    let image = image.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let is = |wanted: &[&str]| wanted.iter().any(|word| image.contains(word));
    if is(&["postgres", "postgis", "timescale", "mariadb", "mysql"]) {
        Role::Database
    } else if is(&["redis", "valkey", "keydb", "dragonfly"]) {
        Role::Cache
    } else if is(&["authshield"]) || image.is_empty() && name.contains("authshield") {
        match words(&body["command"]).first().map(String::as_str) {
            None | Some("serve") => Role::Server,
            Some(_) => Role::Step,
        }
    } else if is(&["prometheus", "grafana", "alertmanager", "victoria-metrics"]) {
        Role::Watcher
    } else {
        Role::Other
    }
}

/// A mount: what is mounted, and where.
fn mounts(body: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = body["volumes"].as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .map(|item| match item {
            Value::String(short) => match short.split_once(':') {
                Some((source, target)) => {
                    (source.to_owned(), target.split(':').next().unwrap_or_default().to_owned())
                }
                None => (String::new(), short.clone()),
            },
            long => (text(&long["source"]), text(&long["target"])),
        })
        .collect()
}

fn volumes(file: &Value, service: &Service<'_>, findings: &mut Vec<Finding>) {
    if !matches!(service.role, Role::Database | Role::Server) {
        return;
    }
    let holds_data = |target: &str| DATA.iter().any(|data| target.starts_with(data));
    let data: Vec<_> =
        mounts(service.body).into_iter().filter(|(_, target)| holds_data(target)).collect();
    if data.is_empty() && service.role == Role::Database {
        let words = "keeps its data inside the container, which `down` removes: mount an external \
                     volume";
        say(findings, Severity::Failure, "volume-missing", service, words);
    }
    for (source, target) in data {
        // A folder of the host is nothing that compose would remove.
        if source.starts_with(['/', '.', '~', '$']) {
            continue;
        }
        let declared = &file["volumes"][source.as_str()];
        let external = &declared["external"];
        if source.is_empty() || external != true && !external.is_object() {
            let words = format!(
                "{target} is on a volume that `docker compose down -v` removes: make it by hand \
                 (`docker volume create …`) and declare it with `external: true`"
            );
            say(findings, Severity::Failure, "volume-not-external", service, words);
        }
    }
}

fn ports(service: &Service<'_>, findings: &mut Vec<Finding>) {
    let published = service.body["ports"].as_array().is_some_and(|ports| !ports.is_empty());
    if published && matches!(service.role, Role::Database | Role::Cache) {
        let words = "publishes a port, and with it all accounts: take `ports` away; services of one \
                     network reach each other without";
        say(findings, Severity::Failure, "published-data-port", service, words);
    }
    let ports = service.body["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    if service.role == Role::Watcher && !ports.iter().all(is_local) {
        let words = "shows everybody how the service does, and who administers it: publish it on \
                     `127.0.0.1:` alone";
        say(findings, Severity::Failure, "published-metrics", service, words);
    }
    if service.body["network_mode"] == "host" && service.role != Role::Other {
        let words = "is on the host's network: what it listens at, everybody reaches";
        say(findings, Severity::Failure, "host-network", service, words);
    }
}

/// Whether only this machine reaches a published port.
fn is_local(port: &Value) -> bool {
    match port {
        Value::String(short) => short.starts_with("127.0.0.1:") || short.starts_with("[::1]:"),
        long => matches!(long["host_ip"].as_str(), Some("127.0.0.1" | "::1")),
    }
}

/// Returns the variables, whether they are a map or a list.
fn environment(body: &Value) -> Vec<(String, String)> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    match &body["environment"] {
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
        }
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .map(|item| item.split_once('=').unwrap_or((item, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        _ => Vec::new(),
    }
}

/// What stands in the file when nobody sets the variable; nothing when compose refuses then.
fn literal(value: &str) -> Option<String> {
    let Some(inside) = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
        return (!value.is_empty() && !value.starts_with('$')).then(|| value.to_owned());
    };
    let default = inside.split_once(":-").or_else(|| inside.split_once('-'));
    default.map(|(_, default)| default.to_owned()).filter(|default| !default.is_empty())
}

fn secrets(service: &Service<'_>, findings: &mut Vec<Finding>) {
    for (name, value) in environment(service.body) {
        let upper = name.to_ascii_uppercase();
        let names_a_secret = ["PASSWORD", "SECRET", "MASTER_KEY", "TOKEN", "API_KEY"]
            .iter()
            .any(|word| upper.contains(word));
        let is_url = upper.ends_with("_URL") || upper.ends_with("_DSN");
        let Some(text) = literal(&value) else { continue };
        let carries_one = is_url
            && text.split_once("://").is_some_and(|(_, rest)| {
                rest.split_once('@').is_some_and(|(user, _)| {
                    user.split_once(':').is_some_and(|(_, password)| !password.starts_with('$'))
                })
            });
        if carries_one || names_a_secret && !upper.ends_with("_FILE") && !upper.contains("TTL") {
            let words = format!(
                "{name} has a secret that stands in the file, the same for everybody who has it: give \
                 it in a file (`{name}_FILE` and `secrets:`), or as `${{{name}:?set it in .env}}`"
            );
            say(findings, Severity::Failure, "default-secret", service, words);
        }
        if upper == "POSTGRES_HOST_AUTH_METHOD" && text == "trust" {
            let words = "lets everybody into the database without a password";
            say(findings, Severity::Failure, "default-secret", service, words);
        }
    }
}

fn eviction(service: &Service<'_>, findings: &mut Vec<Finding>) {
    if service.role != Role::Cache {
        return;
    }
    let command = words(&service.body["command"]);
    let evicts = |word: &&String| word.contains("allkeys-") || word.contains("volatile-");
    if let Some(policy) = command.iter().find(evicts) {
        let words = format!(
            "evicts under pressure ({policy}), and limits forget whom they hold back: \
             `--maxmemory-policy noeviction`"
        );
        say(findings, Severity::Failure, "evicting-cache", service, words);
    }
}

fn image(service: &Service<'_>, findings: &mut Vec<Finding>) {
    let Some(image) = service.body["image"].as_str() else { return };
    let built = !service.body["build"].is_null();
    if !built && !image.contains("@sha256:") {
        let words = format!(
            "{image} can be another image tomorrow: pin it by digest (`docker buildx imagetools \
             inspect {image}` tells it)"
        );
        say(findings, Severity::Warning, "image-without-digest", service, words);
    }
}

fn confinement(service: &Service<'_>, findings: &mut Vec<Finding>) {
    let body = service.body;
    if body["privileged"] == true {
        let words = "is privileged: whoever breaks into it has the machine";
        say(findings, Severity::Failure, "privileged", service, words);
    }
    if !matches!(service.role, Role::Server | Role::Step) {
        return;
    }
    let drops = words(&body["cap_drop"]).iter().any(|word| word.eq_ignore_ascii_case("all"));
    let gains =
        words(&body["security_opt"]).iter().any(|word| word.starts_with("no-new-privileges"));
    for (kept, what) in [
        (body["read_only"] == true, "`read_only: true`"),
        (drops, "`cap_drop: [ALL]`"),
        (gains, "`security_opt: [\"no-new-privileges:true\"]`"),
    ] {
        if !kept {
            let words = format!("can do more than it needs: add {what}");
            say(findings, Severity::Warning, "not-confined", service, words);
        }
    }
}

/// The steps that must have ended well before the server starts, in their order.
const GATE: [(&str, &str); 2] =
    [("preflight", "finds out what does not work"), ("migrate", "brings the schema up to date")];

/// Returns the services that `body` waits for until they have ended well.
fn waits_for(body: &Value) -> Vec<&str> {
    let Some(awaited) = body["depends_on"].as_object() else { return Vec::new() };
    let ended =
        awaited.iter().filter(|(_, how)| how["condition"] == "service_completed_successfully");
    ended.map(|(name, _)| name.as_str()).collect()
}

fn gate(server: &Service<'_>, services: &[Service<'_>], findings: &mut Vec<Finding>) {
    let mut reached = waits_for(server.body);
    let mut at = 0;
    while let Some(next) = reached.get(at).copied() {
        at += 1;
        let Some(step) = services.iter().find(|service| service.name == next) else { continue };
        for further in waits_for(step.body) {
            if !reached.contains(&further) {
                reached.push(further);
            }
        }
    }
    for (command, what) in GATE {
        let passes = services.iter().any(|service| {
            reached.contains(&service.name)
                && words(&service.body["command"]).first().is_some_and(|word| word == command)
        });
        if !passes {
            let words = format!(
                "starts whether or not `authshield {command}` ended well, which {what}: a service with \
                 that command, and `depends_on` with `condition: service_completed_successfully`"
            );
            say(findings, Severity::Failure, "missing-gate", server, words);
        }
    }
    if server.body["healthcheck"].is_null() {
        let words = "has no health check: `test: [\"CMD\", \"/usr/local/bin/authshield\", \
                     \"healthcheck\"]`";
        say(findings, Severity::Warning, "no-healthcheck", server, words);
    }
}
