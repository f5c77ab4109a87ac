//! Every command that the documentation shows exists, with its options.

use std::collections::BTreeSet;
use std::fs;

use crate::book::{blocks, pages};
use crate::server::clean;
use crate::{AUTHSHIELD, root};

/// What else a block may call that is not run; each is somebody else's program.
const OTHERS: [&str; 16] = [
    "cat",
    "cd",
    "chmod",
    "chown",
    "cp",
    "curl",
    "docker",
    "echo",
    "git",
    "install",
    "kubectl",
    "mv",
    "openssl",
    "printf",
    "systemctl",
    "sqlite3",
];

/// A command, and where it is shown.
struct Shown {
    words: Vec<String>,
    place: String,
}

/// Lists what blocks and prose show.
fn shown() -> Vec<Shown> {
    let mut all = Vec::new();
    for path in pages() {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let page = fs::read_to_string(&path).unwrap();
        let (blocks, prose) = blocks(&page);
        for block in blocks.iter().filter(|block| block.info.split(',').next() == Some("sh")) {
            let place = format!("{name}, line {}", block.line);
            let is_run = block.info.contains("test") || block.info.contains("fails");
            for line in block.text.replace("\\\n", " ").lines() {
                let line = line.split(" #").next().unwrap_or_default().trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                for words in commands(line) {
                    let words: Vec<_> = words
                        .into_iter()
                        .skip_while(|word| word == "sudo" || is_assignment(word))
                        .collect();
                    let Some(first) = words.first() else { continue };
                    let known = first == "authshield" || first == "cargo";
                    if known {
                        all.push(Shown { words, place: place.clone() });
                    } else {
                        let fine = is_run || OTHERS.contains(&first.as_str());
                        assert!(fine, "{place}: `{first}` is not known here");
                    }
                }
            }
        }
        // Between backticks, outside blocks.
        for code in prose.split('`').skip(1).step_by(2) {
            if code.starts_with("authshield ") || code.starts_with("cargo ") {
                let words = code.split_whitespace().map(ToOwned::to_owned).collect();
                all.push(Shown { words, place: format!("{name}: `{code}`") });
            }
        }
    }
    all
}

/// Splits a line into commands, and those into words, as far as the documentation needs it.
fn commands(line: &str) -> Vec<Vec<String>> {
    let (mut commands, mut word, mut quote) = (vec![Vec::new()], String::new(), None);
    for letter in line.chars().chain([' ']) {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => quote = Some(letter),
            (' ' | '|' | ';' | '&', None) => {
                if !word.is_empty() {
                    commands.last_mut().unwrap().push(std::mem::take(&mut word));
                }
                if letter != ' ' {
                    commands.push(Vec::new());
                }
            }
            _ => word.push(letter),
        }
    }
    commands
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    })
}

#[test]
fn every_command_of_the_program_exists() {
    let mut seen = BTreeSet::new();
    for Shown { words, place } in shown() {
        if words[0] != "authshield" {
            continue;
        }
        // A redirection is the shell's, and a placeholder ends what can be asked about.
        let is_ours = |word: &&String| {
            !word.starts_with(['<', '>', '$', '…'])
                && !word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        };
        let asked: Vec<_> = words[1..].iter().take_while(is_ours).cloned().collect();
        if !seen.insert(asked.clone()) {
            continue;
        }
        let said = clean(AUTHSHIELD).args(&asked).arg("--help").output().unwrap();
        let why = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{place}: {why}");
        // `authshield keys rotat` would be answered with the help of `keys`.
        let usage = String::from_utf8_lossy(&said.stdout).into_owned();
        let usage = usage.lines().find(|line| line.starts_with("Usage:")).unwrap().to_owned();
        let is_word = |word: &&String| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        for command in
            asked.iter().take(2).take_while(|word| is_word(word) && !word.starts_with('-'))
        {
            assert!(usage.contains(command.as_str()), "{place}: {usage}");
        }
    }
    assert!(seen.len() > 15, "the documentation was not found: {seen:?}");
}

#[test]
fn every_command_of_cargo_exists() {
    let source = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    let tasks = source.split_once("enum Task {").unwrap().1.split_once("\n}").unwrap().0;
    let tasks: BTreeSet<_> = tasks
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(char::is_uppercase))
        .map(|line| line.split([' ', ',', '(']).next().unwrap().to_lowercase())
        .collect();
    let members = [root().join("crates"), root().join("examples")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect::<BTreeSet<_>>();
    let mut count = 0;
    for Shown { words, place } in shown() {
        if words[0] != "cargo" {
            continue;
        }
        count += 1;
        match words.get(1).map_or("", String::as_str) {
            "xtask" => {
                let task = words.get(2).map_or("", String::as_str);
                assert!(
                    ["", "--help", "…"].contains(&task) || tasks.contains(task),
                    "{place}: {task}"
                );
            }
            "run" | "build" | "test" => {
                let package = words.iter().skip_while(|word| *word != "--package").nth(1);
                assert!(package.is_none_or(|package| members.contains(package)), "{place}");
            }
            "add" => {}
            other => panic!("{place}: `cargo {other}` is not known here"),
        }
    }
    assert!(count > 5, "only {count}");
}
