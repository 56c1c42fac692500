//! What a service manager is told of the daemon: units for systemd, a property list for launchd. Text and places only;
//! writing is the business of the commands.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The first line of whatever we write, by which we know our own again.
const OURS: &str = "Written by `tinkerbell daemon install`; `tinkerbell daemon uninstall` removes it.";
/// How launchd calls it.
const LABEL: &str = "org.tinkerbell.daemon";
/// Variables that say where things lie; what else the daemon needs stands in its configuration, and keys are no
/// business of a file that others may read.
const PLACES: [&str; 4] = ["TINKERBELL_HOME", "TINKERBELL_SOCKET", "XDG_CONFIG_HOME", "XDG_STATE_HOME"];

/// Who starts services here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    /// systemd.
    Systemd,
    /// launchd, on macOS.
    Launchd,
}

/// For whom the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// For us, while we are logged in, or always where lingering is on.
    Ours,
    /// From the machine's start on, as this user.
    Machine(String),
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) manager: Manager,
    pub(crate) whose: Whose,
    /// Started when somebody first connects.
    pub(crate) on_demand: bool,
    /// The binary.
    pub(crate) binary: PathBuf,
    /// The socket, where the manager listens itself.
    pub(crate) socket: PathBuf,
    /// The variables that are set.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// A file for a manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Manager {
    /// The one of this system.
    pub(crate) fn here() -> Manager {
        if cfg!(target_os = "macos") { Manager::Launchd } else { Manager::Systemd }
    }

    /// Where its files lie; nothing where no home is known.
    pub(crate) fn directory(self, machine: bool, var: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        let home = || var("HOME").map(PathBuf::from);
        match (self, machine) {
            (Manager::Systemd, true) => Some("/etc/systemd/system".into()),
            (Manager::Launchd, true) => Some("/Library/LaunchDaemons".into()),
            (Manager::Launchd, false) => Some(home()?.join("Library/LaunchAgents")),
            (Manager::Systemd, false) => {
                let config = var("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
                Some(config.or_else(|| Some(home()?.join(".config")))?.join("systemd/user"))
            }
        }
    }

    /// The names of all files that we may have written there.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Manager::Systemd => &["tinkerbell.service", "tinkerbell.socket"],
            Manager::Launchd => &["org.tinkerbell.daemon.plist"],
        }
    }
}

/// The variables that say where things lie.
pub(crate) fn places(var: &dyn Fn(&str) -> Option<OsString>) -> Vec<(&'static str, String)> {
    let set = |name| Some((name, var(name)?.into_string().ok()?));
    PLACES.into_iter().filter_map(set).filter(|(_, value)| !value.is_empty()).collect()
}

/// Whether a text is one that we wrote.
pub(crate) fn is_ours(text: &str) -> bool {
    text.lines().take(4).any(|line| line.contains(OURS))
}

/// The files.
pub(crate) fn units(wanted: &Wanted, directory: &Path) -> Vec<Unit> {
    let unit = |name: &str, text| Unit { path: directory.join(name), text };
    match wanted.manager {
        Manager::Launchd => vec![unit("org.tinkerbell.daemon.plist", plist(wanted))],
        Manager::Systemd if wanted.on_demand => {
            vec![unit("tinkerbell.service", service(wanted)), unit("tinkerbell.socket", socket(wanted))]
        }
        Manager::Systemd => vec![unit("tinkerbell.service", service(wanted))],
    }
}

/// No line here keeps the daemon from the user's files, its terminal-less children or `/tmp`: it works on what the user
/// works on, and its socket lies there.
fn service(wanted: &Wanted) -> String {
    let mut text = format!("# {OURS}\n[Unit]\nDescription=tinkerbell, an always-on agent daemon\n");
    if wanted.on_demand {
        text += "Requires=tinkerbell.socket\nAfter=tinkerbell.socket\n";
    }
    text += "StartLimitIntervalSec=60\nStartLimitBurst=5\n\n[Service]\nType=notify\nNotifyAccess=main\n";
    writeln!(text, "ExecStart={} daemon run", quoted(&wanted.binary.to_string_lossy())).expect("a text takes all");
    text += "# Reads the configuration again; `tinkerbell daemon upgrade` hands over to another binary.\n\
             ExecReload=/bin/kill -HUP $MAINPID\n";
    for (name, value) in &wanted.environment {
        writeln!(text, "Environment={}", quoted(&format!("{name}={value}"))).expect("a text takes all");
    }
    if let Whose::Machine(user) = &wanted.whose {
        writeln!(text, "User={user}").expect("a text takes all");
    }
    text += "Restart=on-failure\nRestartSec=2\n\
             # The daemon says that it lives while its runtime and the journal's writer answer.\nWatchdogSec=60\n\
             TimeoutStartSec=300\nTimeoutStopSec=45\nKillMode=mixed\nLimitNOFILE=65536\n\
             UMask=0077\nNoNewPrivileges=yes\nRestrictSUIDSGID=yes\nLockPersonality=yes\nRestrictRealtime=yes\n\
             SystemCallArchitectures=native\n\n[Install]\n";
    text += match wanted.whose {
        Whose::Ours => "WantedBy=default.target\n",
        Whose::Machine(_) => "WantedBy=multi-user.target\n",
    };
    text
}

fn socket(wanted: &Wanted) -> String {
    let mut text = format!("# {OURS}\n[Unit]\nDescription=tinkerbell's socket\n\n[Socket]\n");
    writeln!(text, "ListenStream={}", wanted.socket.display().to_string().replace('%', "%%"))
        .expect("a text takes all");
    text += "SocketMode=0600\n";
    if let Whose::Machine(user) = &wanted.whose {
        writeln!(text, "SocketUser={user}").expect("a text takes all");
    }
    text + "RemoveOnStop=yes\n\n[Install]\nWantedBy=sockets.target\n"
}

/// An argument as systemd reads it: percent signs mean nothing, blanks do not part it.
fn quoted(text: &str) -> String {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-=:@+,".contains(&byte));
    if plain {
        return text.to_owned();
    }
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    format!("\"{text}\"")
}

fn plist(wanted: &Wanted) -> String {
    let string = |text: &str| format!("<string>{}</string>", escaped(text));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- {OURS} -->\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST \
         1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n  \
         <key>Label</key>{}\n  <key>ProgramArguments</key>\n  <array>{}{}{}</array>\n",
        string(LABEL),
        string(&wanted.binary.to_string_lossy()),
        string("daemon"),
        string("run"),
    );
    if let Whose::Machine(user) = &wanted.whose {
        text += &format!("  <key>UserName</key>{}\n", string(user));
    }
    if !wanted.environment.is_empty() {
        text += "  <key>EnvironmentVariables</key>\n  <dict>\n";
        for (name, value) in &wanted.environment {
            text += &format!("    <key>{name}</key>{}\n", string(value));
        }
        text += "  </dict>\n";
    }
    text + "  <key>RunAtLoad</key><true/>\n  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>\n  \
            <key>ExitTimeOut</key><integer>45</integer>\n  <key>Umask</key><integer>63</integer>\n</dict>\n</plist>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(manager: Manager, whose: Whose) -> Wanted {
        Wanted {
            manager,
            whose,
            on_demand: true,
            binary: "/opt/my tools/100%/tinkerbell".into(),
            socket: "/tmp/tinkerbell.sock".into(),
            environment: vec![("TINKERBELL_HOME", "/home/ada/a b".to_owned())],
        }
    }

    #[test]
    fn a_path_with_anything_in_it_is_one_argument() {
        let text = service(&wanted(Manager::Systemd, Whose::Ours));
        assert!(text.contains("\nExecStart=\"/opt/my tools/100%%/tinkerbell\" daemon run\n"), "{text}");
        assert!(text.contains("\nEnvironment=\"TINKERBELL_HOME=/home/ada/a b\"\n"), "{text}");
        assert!(is_ours(&text) && !text.contains("User=") && !text.contains("PrivateTmp"), "{text}");
    }

    #[test]
    fn a_machines_daemon_has_a_user_and_so_has_its_socket() {
        let files =
            units(&wanted(Manager::Systemd, Whose::Machine("ada".to_owned())), Path::new("/etc/systemd/system"));
        assert!(files[0].text.contains("\nUser=ada\n") && files[1].text.contains("\nSocketUser=ada\n"), "{files:?}");
        assert_eq!(files[1].path, Path::new("/etc/systemd/system/tinkerbell.socket"));
    }

    #[test]
    fn the_property_list_is_escaped_and_known_again() {
        let mut wanted = wanted(Manager::Launchd, Whose::Ours);
        wanted.binary = "/opt/a&b/<tinkerbell>".into();
        let text = plist(&wanted);
        assert!(text.contains("<string>/opt/a&amp;b/&lt;tinkerbell&gt;</string>") && is_ours(&text), "{text}");
    }

    #[test]
    fn a_users_units_lie_where_xdg_says() {
        let of = |vars: &'static [(&str, &str)]| {
            let var = move |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
            Manager::Systemd.directory(false, &var)
        };
        assert_eq!(of(&[("HOME", "/h")]), Some("/h/.config/systemd/user".into()));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")]), Some("/c/systemd/user".into()));
        assert_eq!(of(&[]), None);
    }
}
