//! `authshield breach`: the file of passwords that were stolen elsewhere. It needs no configuration.

use std::io::Read;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Failure, Global};
use crate::passwords::breached::{self, Filter, Lists};
use crate::world::{Real, World};

/// What to do with the file.
#[derive(Subcommand)]
pub(super) enum Breach {
    /// Makes the file from published lists: lines of a SHA-1, perhaps with `:` and how often it was seen.
    Build {
        /// Where it goes; one that is there is replaced when the new one is whole.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The lists are passwords, one to a line.
        #[arg(long)]
        plain: bool,
        /// Leaves out what was seen less often, where a list says so.
        #[arg(long, value_name = "TIMES", default_value_t = 0)]
        at_least: u64,
        /// The lists.
        #[arg(required = true, value_name = "LIST")]
        lists: Vec<PathBuf>,
    },
    /// Proves that a file is whole, and tells what is in it.
    Show {
        /// Which.
        file: PathBuf,
        /// Reads a password from standard input, and tells whether it is in it.
        #[arg(long)]
        password_stdin: bool,
    },
}

pub(super) fn run(global: &Global, command: Breach) -> Result<(), Failure> {
    match command {
        Breach::Build { out, plain, at_least, lists } => {
            let lists = Lists { files: &lists, are_plain: plain, at_least };
            let built = breached::build(lists, &out, Real.now())?;
            let (entries, left_out, bytes) = (built.entries, built.left_out, built.bytes);
            if global.json {
                println!("{}", json!({ "entries": entries, "left_out": left_out, "bytes": bytes }));
            } else {
                println!("{entries} passwords in {bytes} bytes; {left_out} were left out");
            }
        }
        Breach::Show { file, password_stdin } => {
            let filter = Filter::read(&file)?;
            let known = if password_stdin {
                let mut text = Zeroizing::new(String::new());
                std::io::stdin().read_to_string(&mut text)?;
                let password = text.strip_suffix('\n').unwrap_or(&text);
                Some(filter.knows(&crate::passwords::nfc(password)))
            } else {
                None
            };
            let about = filter.about;
            if global.json {
                let (entries, at_least) = (about.entries, about.at_least);
                let told = json!({
                    "entries": entries, "at_least": at_least, "made_at": about.made_at, "known": known,
                });
                println!("{told}");
            } else {
                println!("{} passwords, made at {}", about.entries, about.made_at.to_minute());
                match known {
                    Some(true) => println!("the password is one of them"),
                    Some(false) => println!("the password is none of them"),
                    None => {}
                }
            }
        }
    }
    Ok(())
}
