//! Debian's Postfix as a private instance in a folder of its own: a real mail server for stories.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A private instance of Postfix, stopped when it is dropped. It has mailboxes below
/// `members.example`.
pub struct Postfix {
    folder: PathBuf,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
}

impl Postfix {
    /// Whether this machine has one, and we may start it: it needs to be root's.
    pub fn is_here() -> bool {
        let said = |program: &str, args: &[&str]| Command::new(program).args(args).output().ok();
        let root = said("id", &["-u"]).is_some_and(|id| id.stdout.trim_ascii() == b"0");
        root && said("postconf", &["-d", "mail_version"]).is_some_and(|said| said.status.success())
    }

    /// Starts it on a free port with a mailbox for each of these names; `settings` are further
    /// lines of `main.cf`.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(folder: &Path, boxes: &[&str], settings: &str) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let postfix = Self { folder: folder.to_owned(), port };
        for part in ["", "etc", "queue", "data", "mail"] {
            let part = folder.join(part);
            std::fs::create_dir_all(&part).expect("a folder");
            let open = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(part, open).expect("it is ours");
        }
        run("chown", &["postfix", &text(&folder.join("data"))]);
        run("chown", &["nobody", &text(&folder.join("mail"))]);
        let boxes: String =
            boxes.iter().map(|name| format!("{name}@members.example {name}/\n")).collect();
        let main = postfix.main() + settings;
        for (name, content) in
            [("main.cf", main), ("master.cf", postfix.master()), ("boxes", boxes)]
        {
            std::fs::write(folder.join("etc").join(name), content).expect("written");
        }
        postfix.go_on();
        postfix
    }

    /// Stops it; nobody answers at its port until [`Postfix::go_on`].
    ///
    /// # Panics
    /// When it does not stop.
    pub fn pause(&self) {
        run("postfix", &["-c", &text(&self.folder.join("etc")), "stop"]);
    }

    /// Starts it again as it was.
    ///
    /// # Panics
    /// When it does not start.
    pub fn go_on(&self) {
        run("postfix", &["-c", &text(&self.folder.join("etc")), "start"]);
    }

    fn main(&self) -> String {
        let folder = self.folder.display();
        let nobody = |what: &str| {
            let said = Command::new("id").args([what, "nobody"]).output();
            let id = said.ok().and_then(|said| String::from_utf8(said.stdout).ok());
            id.unwrap_or_default().trim().to_owned()
        };
        format!(
            "compatibility_level = 3.6\nqueue_directory = {folder}/queue\n\
             data_directory = {folder}/data\nmail_owner = postfix\nsetgid_group = postdrop\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = mx.example\n\
             mydestination =\nmynetworks = 127.0.0.0/8\nlocal_recipient_maps =\n\
             virtual_mailbox_domains = members.example\nvirtual_mailbox_base = {folder}/mail\n\
             virtual_mailbox_maps = texthash:{folder}/etc/boxes\nvirtual_minimum_uid = 1\n\
             virtual_uid_maps = static:{uid}\nvirtual_gid_maps = static:{gid}\n\
             default_transport = error\nalias_maps =\nalias_database =\n\
             maillog_file = /var/log/cordon-story-{port}.log\n",
            uid = nobody("-u"),
            gid = nobody("-g"),
            port = self.port,
        )
    }

    fn master(&self) -> String {
        let port = self.port;
        format!(
            "127.0.0.1:{port} inet n - n - - smtpd\npostlog unix-dgram n - n - 1 postlogd\n\
             cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
             rewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\n\
             defer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
             proxymap unix - - n - - proxymap\nerror unix - - n - - error\n\
             retry unix - - n - - error\nvirtual unix - n n - - virtual\n\
             anvil unix - - n - 1 anvil\ntlsmgr unix - - n 1000? 1 tlsmgr\n"
        )
    }

    /// The mails in somebody's mailbox.
    pub fn mails(&self, name: &str) -> Vec<PathBuf> {
        let new = self.folder.join("mail").join(name).join("new");
        let entries = std::fs::read_dir(new).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let etc = text(&self.folder.join("etc"));
        let stopped = Command::new("postfix").args(["-c", &etc, "stop"]).status();
        if !stopped.is_ok_and(|status| status.success()) {
            eprintln!("Postfix did not stop");
        }
        let log = format!("/var/log/cordon-story-{}.log", self.port);
        std::fs::remove_file(log).ok();
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("the folder's name is text").to_owned()
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
}
