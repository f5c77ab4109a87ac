//! The manifests keep what they promise. None of it needs a cluster.

use std::collections::BTreeMap;
use std::fs;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
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

/// ASVS: V13.2.2
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

/// Reads a manifest as the API server would, and returns what it understood.
fn understood(manifest: &Value) -> Result<Value, String> {
    fn read<T: DeserializeOwned + Serialize>(manifest: &Value) -> Result<Value, String> {
        let read: T =
            serde_json::from_value(manifest.clone()).map_err(|error| error.to_string())?;
        serde_json::to_value(read).map_err(|error| error.to_string())
    }
    match manifest["kind"].as_str().unwrap_or_default() {
        "ConfigMap" => read::<ConfigMap>(manifest),
        "Deployment" => read::<Deployment>(manifest),
        "NetworkPolicy" => read::<NetworkPolicy>(manifest),
        "PodDisruptionBudget" => read::<PodDisruptionBudget>(manifest),
        "Service" => read::<Service>(manifest),
        "ServiceAccount" => read::<ServiceAccount>(manifest),
        kind => Err(format!("{kind:?} is of no kind that is checked; add it here")),
    }
}

/// Says where something was written that is not understood: a field that there is not, or a value that
/// means something else.
fn lost(written: &Value, understood: &Value, place: &str, complaints: &mut Vec<String>) {
    match (written, understood) {
        (Value::Object(written), Value::Object(understood)) => {
            for (name, value) in written {
                let place = format!("{place}.{name}");
                match understood.get(name) {
                    Some(known) => lost(value, known, &place, complaints),
                    None if value.is_null() => {}
                    None => complaints.push(format!("{place}: there is no such field")),
                }
            }
        }
        (Value::Array(written), Value::Array(understood)) if written.len() == understood.len() => {
            for (at, pair) in written.iter().zip(understood).enumerate() {
                lost(pair.0, pair.1, &format!("{place}[{at}]"), complaints);
            }
        }
        (written, understood) if written == understood => {}
        (written, understood) => {
            complaints.push(format!("{place}: {written} is understood as {understood}"));
        }
    }
}

/// Returns what the API server would not understand.
fn complaints(name: &str, manifest: &Value) -> Vec<String> {
    match understood(manifest) {
        Ok(understood) => {
            let mut complaints = Vec::new();
            lost(manifest, &understood, name, &mut complaints);
            complaints
        }
        Err(why) => vec![format!("{name}: {why}")],
    }
}

#[test]
fn kubernetes_understands_every_field() {
    for (name, manifest) in manifests() {
        assert_eq!(complaints(&name, &manifest), [] as [&str; 0]);
    }
    // It is kustomize that reads this one, and only these are used.
    let text = fs::read_to_string(root().join("deploy/kubernetes/kustomization.yaml")).unwrap();
    let kustomization: Value = serde_saphyr::from_str(&text).unwrap();
    for (name, value) in kustomization.as_object().unwrap() {
        let known = ["apiVersion", "kind", "namespace", "resources", "images", "labels"];
        assert!(known.contains(&&**name), "kustomization.{name}: {value}");
    }
}

/// Every key that is misspelt, one at a time, and every type that is another one.
#[test]
fn what_is_misspelt_is_found_wherever_it_stands() {
    fn misspell(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(members) => {
                for (name, inner) in members {
                    let pointer = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                    found.push((path.to_owned(), name.clone()));
                    misspell(inner, &pointer, found);
                }
            }
            Value::Array(items) => {
                for (at, inner) in items.iter().enumerate() {
                    misspell(inner, &format!("{path}/{at}"), found);
                }
            }
            _ => {}
        }
    }
    // What stands below these has names that are ours to choose.
    let free =
        ["/labels", "/annotations", "/matchLabels", "/data", "/limits", "/requests", "/selector"];
    let mut tried = 0;
    for (name, manifest) in manifests() {
        let mut keys = Vec::new();
        misspell(&manifest, "", &mut keys);
        for (path, key) in keys {
            if path.is_empty() && (key == "kind" || key == "apiVersion")
                || free.iter().any(|free| path.ends_with(free))
            {
                continue;
            }
            let mut wrong = manifest.clone();
            let members = wrong.pointer_mut(&path).unwrap().as_object_mut().unwrap();
            let value = members.remove(&key).unwrap();
            members.insert(format!("{key}x"), value);
            assert!(!complaints(&name, &wrong).is_empty(), "{name}{path}: {key}x");
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
    let mut wrong = manifests()["Deployment/authshield"].clone();
    wrong["spec"]["replicas"] = json!("two");
    assert!(!complaints("a", &wrong).is_empty());
}
