//! The manifests keep what they promise. None of it needs a cluster.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::server::clean;
use crate::{AUTHSHIELD, root};

/// Returns every manifest that the kustomization names, by kind and name.
fn manifests() -> BTreeMap<String, Value> {
    let folder = root().join("deploy/kubernetes");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let kustomization: Value = serde_saphyr::from_str(&read("kustomization.yaml")).unwrap();
    let mut all = BTreeMap::new();
    let mut files = 1;
    for file in kustomization["resources"].as_array().unwrap() {
        files += 1;
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&read(file.as_str().unwrap())).unwrap();
        for manifest in documents {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            let name =
                format!("{}/{}", word(&manifest["kind"]), word(&manifest["metadata"]["name"]));
            let labels = &manifest["metadata"]["labels"];
            assert_eq!(labels["app.kubernetes.io/name"], "authshield", "{name}");
            assert!(all.insert(name.clone(), manifest).is_none(), "{name} is there twice");
        }
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), files, "a file that nothing applies");
    all
}

fn pod(manifests: &BTreeMap<String, Value>) -> &Value {
    &manifests["Deployment/authshield"]["spec"]["template"]["spec"]
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let of = |kind: &str| pod[kind].as_array().unwrap().iter();
    of("initContainers").chain(of("containers"))
}

#[test]
fn nobody_runs_as_root_or_writes_where_it_should_not() {
    let manifests = manifests();
    let pod = pod(&manifests);
    let security = &pod["securityContext"];
    assert_eq!((&security["runAsNonRoot"], &security["runAsUser"]), (&json!(true), &json!(65532)));
    assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(manifests["ServiceAccount/authshield"]["automountServiceAccountToken"], false);
    for container in containers(pod) {
        let name = &container["name"];
        let security = &container["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{name}");
        assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
        assert!(container["resources"]["requests"]["cpu"].is_string(), "{name}");
    }
}

#[test]
fn the_gate_is_passed_in_order_before_anybody_is_served() {
    let manifests = manifests();
    let commands: Vec<_> =
        containers(pod(&manifests)).map(|container| container["args"].to_string()).collect();
    assert_eq!(commands, [r#"["preflight"]"#, r#"["migrate","run"]"#, r#"["serve"]"#]);
    // All three see the same configuration.
    for container in containers(pod(&manifests)) {
        assert_eq!(container["envFrom"], json!([{ "configMapRef": { "name": "authshield" } }]));
        let mounts = container["volumeMounts"].as_array().unwrap();
        assert!(mounts.iter().any(|mount| mount["mountPath"] == "/run/secrets/authshield"));
    }
}

#[test]
fn a_pod_that_goes_takes_nobodys_answer_away() {
    let manifests = manifests();
    let deployment = &manifests["Deployment/authshield"]["spec"];
    assert!(deployment["replicas"].as_u64().unwrap() >= 2);
    assert_eq!(deployment["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    let pod = pod(&manifests);
    let data = &manifests["ConfigMap/authshield"]["data"];
    let grace = data["AUTHSHIELD_SHUTDOWN_GRACE"].as_str().unwrap().trim_end_matches('s');
    let server = &pod["containers"][0];
    let wait = server["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    let all = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(all > grace.parse::<u64>().unwrap() + wait + 5, "{all} {grace} {wait}");

    // Probes and Services reach ports that are there, at paths that exist.
    let ports: BTreeMap<&str, u64> = server["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| (port["name"].as_str().unwrap(), port["containerPort"].as_u64().unwrap()))
        .collect();
    for (setting, port) in [("AUTHSHIELD_LISTEN", "http"), ("AUTHSHIELD_ADMIN_LISTEN", "operators")]
    {
        assert_eq!(data[setting], format!("0.0.0.0:{}", ports[port]));
    }
    for (probe, path) in
        [("startupProbe", "live"), ("livenessProbe", "live"), ("readinessProbe", "ready")]
    {
        let get = &server[probe]["httpGet"];
        assert_eq!(get["path"], format!("/api/v1/health/{path}"), "{probe}");
        assert_eq!(get["port"], "operators", "{probe}");
    }
    for (service, port) in [("authshield", "http"), ("authshield-operators", "operators")] {
        let spec = &manifests[&format!("Service/{service}")]["spec"];
        assert_eq!(spec["ports"][0]["targetPort"], port);
    }

    let labels = &deployment["template"]["metadata"]["labels"];
    let budget = &manifests["PodDisruptionBudget/authshield"]["spec"];
    assert_eq!(budget["minAvailable"], 1);
    for selector in [
        &deployment["selector"]["matchLabels"],
        &budget["selector"]["matchLabels"],
        &manifests["Service/authshield"]["spec"]["selector"],
        &manifests["NetworkPolicy/authshield"]["spec"]["podSelector"]["matchLabels"],
    ] {
        assert_eq!(selector, labels);
    }
}

/// What the manifests give the program is a configuration that it accepts, once the blanks are filled;
/// and one that it refuses before.
#[test]
fn the_configuration_is_sound_and_has_no_secret() {
    let manifests = manifests();
    assert_eq!(pod(&manifests)["enableServiceLinks"], false);
    assert!(!manifests.keys().any(|name| name.starts_with("Secret/")), "secrets are made by hand");
    let folder = tempfile::tempdir().unwrap();
    let secret = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    secret("master_key", "MgwMjJwg4Ao30qU1STiClwKPQhOL+sSB87qTsEudWCQ=\n");
    secret("database_url", "postgres://authshield:3a0f8c1e5b7d9246@db.acme-shop.com/authshield\n");
    secret("smtp_password", "kq3v-Xw9z-relay\n");
    let data = manifests["ConfigMap/authshield"]["data"].as_object().unwrap();
    let check = |filled: bool| {
        let mut check = clean(AUTHSHIELD);
        check.args(["config", "check"]).current_dir(&folder);
        for (name, value) in data {
            let value = value.as_str().unwrap();
            let file = value.strip_prefix("/run/secrets/authshield/");
            let value = file.map_or_else(
                || {
                    if filled {
                        value.replace("example.org", "acme-shop.com")
                    } else {
                        value.into()
                    }
                },
                |file| folder.path().join(file).display().to_string(),
            );
            check.env(name, value);
        }
        check.output().unwrap()
    };
    let said = check(true);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(String::from_utf8_lossy(&said.stdout).contains("with 0 warnings"));
    assert_eq!(check(false).status.code(), Some(78), "the blanks are refused");
}
