//! The image, the compose file and the unit keep their promises. None of it needs a container engine.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::server::clean;
use crate::{AUTHSHIELD, root};

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Returns the indented blocks below the line `key:` of a YAML file that is laid out as ours is.
fn below<'y>(yaml: &'y str, key: &str) -> Vec<&'y str> {
    let inside = yaml.lines().skip_while(|line| line.split(" &").next() != Some(key)).skip(1);
    inside.take_while(|line| line.is_empty() || line.starts_with([' ', '#'])).collect()
}

/// Returns the services of the compose file: each with its lines, the shared ones included.
fn services() -> BTreeMap<String, String> {
    let yaml = read("compose.yaml");
    let shared: String = below(&yaml, "x-authshield:").join("\n") + "\n";
    // The shared lines are indented once less than a service's.
    let shared = shared.replace('\n', "\n  ");
    let mut services = BTreeMap::<String, String>::new();
    let mut current = "";
    for line in below(&yaml, "services:") {
        let is_name = line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':');
        if is_name {
            current = line.trim().trim_end_matches(':');
        } else if line.trim() == "<<: *authshield" {
            let service = services.entry(current.to_owned()).or_default();
            service.extend(["  ", &shared, "\n"]);
        } else if !line.trim_start().starts_with('#') {
            services.entry(current.to_owned()).or_default().extend([line, "\n"]);
        }
    }
    services
}

fn seconds(duration: &str) -> u64 {
    let (number, unit) = duration.trim().split_at(duration.trim().len() - 1);
    number.parse::<u64>().unwrap() * if unit == "m" { 60 } else { 1 }
}

#[test]
fn no_routine_command_can_wipe_the_identity_database() {
    let yaml = read("compose.yaml");
    let volumes = below(&yaml, "volumes:").join("\n");
    assert!(volumes.contains("  database:\n    external: true\n    name: authshield_database"));
    assert!(services()["postgres"].contains(r#"volumes: ["database:/var/lib/postgresql/data"]"#));
    assert!(
        read("docs/src/guides/production.md").contains("docker volume create authshield_database")
    );
}

/// ASVS: V13.2.2
#[test]
fn compose_confines_every_service() {
    let services = services();
    let names: Vec<_> = services.keys().map(String::as_str).collect();
    let expected =
        ["authshield", "grafana", "migrate", "postgres", "preflight", "prometheus", "valkey"];
    assert_eq!(names, expected);
    for (name, service) in &services {
        for promise in
            ["read_only: true", "cap_drop: [ALL]", r#"security_opt: ["no-new-privileges:true"]"#]
        {
            assert!(service.contains(promise), "{name}: {promise}");
        }
        assert!(
            !service.contains("privileged: true") && !service.contains("docker.sock"),
            "{name}"
        );
        let published = service.contains("ports:");
        let may = ["authshield", "grafana", "prometheus"].contains(&name.as_str());
        assert_eq!(published, may, "{name} publishes ports");
        assert!(!published || service.contains("ports: [\"127.0.0.1:"), "{name}: to the world");
    }
    // Only this machine, where the proxy is.
    assert!(services["authshield"].contains(r#"ports: ["127.0.0.1:8080:8080"]"#));
    assert!(read("compose.yaml").contains("  data:\n    internal: true\n"));
    for name in ["postgres", "valkey"] {
        assert!(services[name].contains("networks: [data]"), "{name} has a way out");
        assert!(services[name].contains(&format!("user: {name}")), "{name} runs as root");
    }
}

#[test]
fn compose_starts_in_order_and_stops_in_time() {
    let services = services();
    let service = &services["authshield"];
    assert!(service.contains("migrate: { condition: service_completed_successfully }"));
    assert!(service.contains(r#"test: ["CMD", "/usr/local/bin/authshield", "healthcheck"]"#));
    assert!(services["migrate"].contains("postgres: { condition: service_healthy }"));
    assert!(services["migrate"].contains("command: [migrate, run]"));
    assert!(
        services["migrate"].contains("preflight: { condition: service_completed_successfully }")
    );
    assert!(services["preflight"].contains("command: [preflight]"));
    let value = |key: &str| {
        let line = service.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap();
        seconds(line)
    };
    assert!(value("stop_grace_period: ") > value("AUTHSHIELD_SHUTDOWN_GRACE: "));
    let valkey = services["valkey"].replace(['\n', ' '], "");
    assert!(valkey.contains("--maxmemory-policy-noeviction"), "{valkey}");
    assert!(valkey.contains(r#"--appendonly-"yes""#), "{valkey}");
}

/// What compose would give the program is a configuration that it accepts, once the blanks are filled.
/// ASVS: V13.2.3, V13.3.1
#[test]
fn compose_has_no_default_secret_and_a_sound_configuration() {
    let yaml = read("compose.yaml");
    let folder = tempfile::tempdir().unwrap();
    let secret = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    secret("master_key", "MgwMjJwg4Ao30qU1STiClwKPQhOL+sSB87qTsEudWCQ=\n");
    secret("database_url", "postgres://authshield:3a0f8c1e5b7d9246@postgres/authshield\n");
    secret("smtp_password", "kq3v-Xw9z-relay\n");
    let filled = BTreeMap::from([
        ("AUTHSHIELD_PUBLIC_URL", "https://id.acme-shop.com"),
        ("AUTHSHIELD_TRUSTED_PROXIES", "172.16.0.0/12"),
        ("AUTHSHIELD_SMTP_HOST", "smtp.acme-shop.com"),
        ("AUTHSHIELD_SMTP_USERNAME", "acme"),
        ("AUTHSHIELD_MAIL_FROM", "Acme <no-reply@acme-shop.com>"),
    ]);
    let mut check = clean(AUTHSHIELD);
    check.args(["config", "check"]).current_dir(&folder);
    let mut count = 0;
    for line in below(&yaml, "x-authshield:") {
        let Some((name, value)) = line.trim().split_once(": ") else { continue };
        if !name.starts_with("AUTHSHIELD_") {
            continue;
        }
        count += 1;
        let value = if let Some(blank) = value.strip_prefix("${") {
            assert!(blank.starts_with(&format!("{name}:?")), "{line}: must be required");
            filled[name].to_owned()
        } else if let Some(file) = value.strip_prefix("/run/secrets/") {
            assert!(yaml.contains(&format!("    file: secrets/{file}\n")), "{file}");
            folder.path().join(file).display().to_string()
        } else {
            value.to_owned()
        };
        check.env(name, value);
    }
    assert!(count > 10);
    let said = check.output().unwrap();
    let why = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{why}");
    assert!(String::from_utf8_lossy(&said.stdout).contains("with 0 warnings"), "{why}");
    for word in ["PASSWORD:", "PASSWORD=", "MASTER_KEY:"] {
        assert!(!yaml.contains(word), "{word} stands in the file: secrets are files");
    }
}

/// The program's own lint finds nothing in our file but that its images have no digest here: who
/// deploys it pins what they tested.
#[test]
fn compose_is_what_compose_check_asks_for() {
    let said = clean(AUTHSHIELD)
        .args(["compose", "check", "--json"])
        .arg(root().join("compose.yaml"))
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    let report: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    for finding in report["findings"].as_array().unwrap() {
        assert_eq!(finding["id"], "image-without-digest", "{finding}");
    }
    assert_eq!(report["failures"], 0);
}

/// Our reading of the file is not YAML's: ask somebody who knows, where there is one.
#[test]
fn compose_is_yaml() {
    let python = Command::new("python3")
        .args(["-c", "import sys, yaml; yaml.safe_load(sys.stdin)"])
        .stdin(fs::File::open(root().join("compose.yaml")).unwrap())
        .output();
    match python {
        Ok(said) if String::from_utf8_lossy(&said.stderr).contains("No module named") => {
            println!("skipped: python3-yaml is not installed");
        }
        Ok(said) => assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr)),
        Err(_) => println!("skipped: python3 is not installed"),
    }
}

#[test]
fn the_image_is_nobody_and_has_nothing_but_the_program() {
    let file = read("Dockerfile");
    let (build, last) = file.split_once("\nFROM scratch\n").unwrap();
    assert!(build.contains("cargo build --locked --profile dist"));
    assert!(build.contains("deploy/image/rootfs.sh target/dist/authshield /rootfs"));
    assert!(last.contains("\nUSER 65532:65532\n"));
    assert!(last.contains(r#"ENTRYPOINT ["/usr/local/bin/authshield"]"#));
    assert!(last.contains(r#"CMD ["/usr/local/bin/authshield", "healthcheck"]"#));
    assert!(!last.contains("RUN") && !last.contains("/bin/sh"));
    let ignored = read(".dockerignore");
    for name in [".git", "**/target", "secrets", ".env", "data"] {
        assert!(ignored.lines().any(|line| line == name), "{name} would get into the image");
    }
}

/// Builds the image's file system and starts the program inside, as the image's user.
#[test]
fn what_the_image_holds_is_enough_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("rootfs");
    let script = root().join("deploy/image/rootfs.sh");
    let laid_out = clean(script).arg(AUTHSHIELD).arg(&inside).output().unwrap();
    assert!(laid_out.status.success(), "{}", String::from_utf8_lossy(&laid_out.stderr));
    assert!(!inside.join("bin/sh").exists() && !inside.join("usr/bin").exists());
    let said = clean("chroot")
        .arg("--userspec=65532:65532")
        .arg(&inside)
        .args(["/usr/local/bin/authshield", "version"])
        .output();
    match said {
        Ok(said) if said.status.code() == Some(125) => println!("skipped: chroot is root's"),
        Ok(said) => assert_eq!(
            String::from_utf8_lossy(&said.stdout),
            concat!("authshield ", env!("CARGO_PKG_VERSION"), "\n"),
            "{}",
            String::from_utf8_lossy(&said.stderr)
        ),
        Err(_) => println!("skipped: there is no chroot"),
    }
}

#[test]
fn the_unit_is_sound_and_hardened() {
    let unit = read("deploy/systemd/authshield.service");
    for promise in [
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "StateDirectory=authshield",
        "LoadCredential=master_key:/etc/authshield/master_key",
        "CapabilityBoundingSet=\n",
        "RestartPreventExitStatus=78",
        "MemoryMax=",
    ] {
        assert!(unit.contains(promise), "{promise}");
    }
    let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
    assert!(seconds(stop) > 20, "it must be longer than the default of `shutdown_grace`");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authshield.service");
    fs::write(&file, unit.replace("/usr/local/bin/authshield", AUTHSHIELD)).unwrap();
    let Ok(said) = Command::new("systemd-analyze").arg("verify").arg(&file).output() else {
        println!("skipped: systemd-analyze is not installed");
        return;
    };
    let complaints = String::from_utf8_lossy(&said.stderr);
    assert!(!complaints.contains("authshield.service"), "{complaints}");
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--no-pager", "--threshold=20"]).arg(&file);
    let said = security.output().unwrap();
    let report = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{}", report.lines().last().unwrap_or_default());
}

/// What watches the service starts only when asked, reads our rules and dashboards where they are, and knows
/// where the metrics are.
#[test]
fn compose_shows_what_happens_to_this_machine_alone() {
    let services = services();
    for name in ["prometheus", "grafana"] {
        let service = &services[name];
        assert!(service.contains("profiles: [observability]"), "{name} starts unasked");
        assert!(service.contains("networks: [front]"), "{name} reaches the database");
        let mounts = service.lines().filter_map(|line| line.trim().strip_prefix("- ./"));
        let mut count = 0;
        for mount in mounts {
            let (source, target) = mount.split_once(':').unwrap();
            assert!(root().join(source).exists(), "{name} mounts {source}, which is not there");
            assert!(target.ends_with(":ro"), "{name} may change {source}");
            count += 1;
        }
        assert!(count >= 2, "{name} mounts {count}");
    }
    let config = read("deploy/observability/prometheus.yml");
    let target = |text: &str| {
        text.split("targets: [\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    assert_eq!(target(&config), "authshield:9090");
    assert!(services["authshield"].contains("AUTHSHIELD_ADMIN_LISTEN: 0.0.0.0:9090"));
    assert!(
        services["prometheus"].contains("alerts.yaml:/etc/prometheus/authshield/alerts.yaml:ro")
    );
    assert!(config.contains("- /etc/prometheus/authshield/alerts.yaml"));
    assert!(
        read("deploy/observability/grafana/datasource.yaml").contains("http://prometheus:9090")
    );
    let provider = read("deploy/observability/grafana/dashboards.yaml");
    assert!(provider.contains("path: /etc/grafana/authshield"));
    // Prometheus itself has the last word; the rules are elsewhere on this machine.
    let folder = tempfile::tempdir().unwrap();
    let here = config.replace("/etc/prometheus/authshield", folder.path().to_str().unwrap());
    fs::write(folder.path().join("prometheus.yml"), here).unwrap();
    fs::copy(root().join("deploy/observability/alerts.yaml"), folder.path().join("alerts.yaml"))
        .unwrap();
    crate::alerts::promtool(folder.path(), &["check", "config", "prometheus.yml"]);
}
