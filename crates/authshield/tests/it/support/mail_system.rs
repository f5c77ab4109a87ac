//! A real mail system on loopback: Debian's postfix, which writes genuine reports, and dovecot, which
//! serves the mailbox that they come to. All of it in a throw-away folder.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use super::program::free_port;

/// The user that mailboxes belong to: nobody, by number.
const OWNER: u32 = 61_999;

/// The password of the mailbox.
pub(crate) const MAILBOX_PASSWORD: &str = "mailbox-Vq7wKx2mzP";

/// Postfix and dovecot, running; they stop when this is dropped.
///
/// Mail to `here.test` is delivered, mail to `slow.test` cannot be for the time being, and mail to
/// `gone.test` goes to another server.
pub(crate) struct MailSystem {
    folder: tempfile::TempDir,
    /// Where postfix takes mail.
    pub(crate) smtp_port: u16,
    /// Where dovecot serves the mailboxes, each by the name before its `@`: `bounce`, `canary`. What is
    /// sent to `junk@here.test` lies in the folder for junk of `canary`.
    pub(crate) imap_port: u16,
}

impl MailSystem {
    /// Starts it, if it is installed and we may: postfix wants to begin as root.
    pub(crate) fn start(gone_port: u16) -> Option<Self> {
        let is_there = |path: &str| Path::new(path).exists();
        if !rustix::process::getuid().is_root()
            || !is_there("/usr/sbin/postfix")
            || !is_there("/usr/sbin/dovecot")
        {
            eprintln!("skipped: postfix and dovecot-imapd, as root, are needed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let system = Self { folder, smtp_port: free_port(), imap_port: free_port() };
        let root = system.folder.path();
        std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["postfix", "queue", "data", "box", "dovecot"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        chown(root.join("box"), Some(OWNER), Some(OWNER)).unwrap();
        let postfix = root.join("data");
        must(Command::new("chown").arg("postfix").arg(postfix));
        let closed = free_port();
        std::fs::write(root.join("postfix/main.cf"), main_cf(root, closed, gone_port)).unwrap();
        let master = MASTER_CF.replace("{port}", &system.smtp_port.to_string());
        std::fs::write(root.join("postfix/master.cf"), master).unwrap();
        std::fs::write(root.join("dovecot/dovecot.conf"), dovecot(root, system.imap_port)).unwrap();
        must(Command::new("/usr/sbin/postfix").arg("-c").arg(root.join("postfix")).arg("start"));
        must(Command::new("/usr/sbin/dovecot").arg("-c").arg(root.join("dovecot/dovecot.conf")));
        Some(system)
    }

    /// What both wrote down, for a test that fails.
    pub(crate) fn log(&self) -> String {
        let read =
            |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("postfix.log") + &read("dovecot/log")
    }
}

impl Drop for MailSystem {
    fn drop(&mut self) {
        let root = self.folder.path();
        let _ = quiet(
            Command::new("/usr/sbin/postfix").arg("-c").arg(root.join("postfix")).arg("stop"),
        );
        let conf = root.join("dovecot/dovecot.conf");
        let _ = quiet(Command::new("/usr/bin/doveadm").arg("-c").arg(conf).arg("stop"));
    }
}

fn quiet(command: &mut Command) -> std::io::Result<std::process::ExitStatus> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
}

fn must(command: &mut Command) {
    assert!(quiet(command).unwrap().success(), "{command:?}");
}

fn main_cf(root: &Path, closed: u16, gone: u16) -> String {
    let root = root.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
maillog_file = {root}/postfix.log
maillog_file_prefixes = {root}
virtual_mailbox_domains = bounce.test, here.test
virtual_mailbox_base = {root}/box
virtual_mailbox_maps = inline:{{ {{bounce@bounce.test=bounce/}}, {{ann@here.test=ann/}}, {{canary@here.test=canary/}}, {{junk@here.test=canary/.Junk/}} }}
virtual_uid_maps = static:{OWNER}
virtual_gid_maps = static:{OWNER}
recipient_delimiter = +
transport_maps = inline:{{ {{slow.test=smtp:[127.0.0.1]:{closed}}}, {{gone.test=smtp:[127.0.0.1]:{gone}}} }}
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_host_lookup = native
delay_warning_time = 1s
queue_run_delay = 1s
minimal_backoff_time = 1s
"
    )
}

const MASTER_CF: &str = "127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

fn dovecot(root: &Path, port: u16) -> String {
    let root = root.display();
    format!(
        "base_dir = {root}/dovecot/run
log_path = {root}/dovecot/log
protocols = imap
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
mail_location = maildir:{root}/box/%n
first_valid_uid = 1
passdb {{
  driver = static
  args = password={MAILBOX_PASSWORD}
}}
userdb {{
  driver = static
  args = uid={OWNER} gid={OWNER} home={root}/box
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"
    )
}
