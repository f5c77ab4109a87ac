//! The blocks of the book and the README.
//!
//! ```text
//! ```sh,test       is run, against a fresh server for each page; it must succeed
//! ```sh,fails      is run too, and must fail
//! ```…,output      after one of these: what it printed, where `…` stands for anything
//! ```sh            is not run; its commands must exist
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use crate::server::{Server, clean};
use crate::{AUTHSHIELD, is_like, root};

/// A block of a page.
pub(crate) struct Block {
    pub(crate) info: String,
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Block {
    fn is(&self, tag: &str) -> bool {
        self.info.split(',').any(|word| word == tag)
    }

    fn is_run(&self) -> bool {
        self.is("test") || self.is("fails")
    }
}

/// Returns every page that is written by hand or by us.
pub(crate) fn pages() -> Vec<PathBuf> {
    fn collect(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, pages);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    let mut pages = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    collect(&root().join("docs/src"), &mut pages);
    pages.sort();
    pages
}

/// Returns the blocks of a page, and the page without them.
pub(crate) fn blocks(page: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut prose) = (Vec::<Block>::new(), String::new());
    let mut open = false;
    for (number, line) in page.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            open = !open;
            if open {
                let info = info.trim().to_owned();
                blocks.push(Block { info, text: String::new(), line: number + 1 });
            }
        } else if open {
            let block = blocks.last_mut().unwrap();
            block.text += line;
            block.text.push('\n');
        } else {
            prose += line;
            prose.push('\n');
        }
    }
    assert!(!open, "a block has no end");
    (blocks, prose)
}

#[test]
fn every_block_that_says_so_is_run() {
    let mut run = 0;
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        let (blocks, _) = blocks(&page);
        if blocks.iter().any(Block::is_run) {
            run += play(&path, &blocks);
        }
    }
    assert!(run > 20, "only {run} blocks were run");
}

/// What is printed between the outputs of two blocks, and the line that prints it.
const CUT: &str = "\n--8<--\n";
const END: &str = "printf '\\n--8<--\\n'\n";

/// Runs the blocks of one page in one shell, and returns how many.
fn play(path: &Path, blocks: &[Block]) -> usize {
    let name = path.strip_prefix(root()).unwrap().display();
    let with_orders =
        blocks.iter().any(|block| block.is_run() && block.text.contains("127.0.0.1:3000"));
    let server = Server::start(with_orders);
    let here = |text: &str| {
        let text = text.replace("127.0.0.1:8080", &server.addresses[0]);
        let text = text.replace("127.0.0.1:9090", &server.addresses[1]);
        text.replace("127.0.0.1:3000", &server.addresses[2])
    };
    let mut script = "exec 2>&1\nset -eo pipefail\n".to_owned();
    for block in blocks.iter().filter(|block| block.is_run()) {
        let text = here(&block.text);
        if block.is("fails") {
            script += "if (set -e\n";
            script += &text;
            script += ") then exit 99; fi\n";
        } else {
            script += &text;
        }
        script += END;
    }
    let mut path = vec![Path::new(AUTHSHIELD).parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let said = clean("bash")
        .args(["-c", &script])
        .env("AUTHSHIELD_LISTEN", &server.addresses[0])
        .env("PATH", std::env::join_paths(path).unwrap())
        .current_dir(&server.folder)
        .output()
        .unwrap();
    let said_text = String::from_utf8(said.stdout).unwrap();
    let mut outputs = said_text.split(CUT).collect::<Vec<_>>();
    let rest = outputs.pop().unwrap();
    let run: Vec<_> = blocks.iter().filter(|block| block.is_run()).collect();
    assert!(
        said.status.success(),
        "{name}, line {}: {} {rest}",
        run[outputs.len().min(run.len() - 1)].line,
        said.status
    );
    for (block, output) in run.iter().zip(outputs) {
        let at = blocks.iter().position(|other| other.line == block.line).unwrap();
        if let Some(expected) = blocks.get(at + 1).filter(|next| next.is("output")) {
            assert!(
                is_like(&here(&expected.text), output),
                "{name}, line {}: this came out:\n{output}",
                expected.line
            );
        }
    }
    run.len()
}
