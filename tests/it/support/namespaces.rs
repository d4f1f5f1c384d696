//! Network namespaces: processes on one bridge, each with an address of its own, which can be cut off from one another as a broken cable
//! does it, without a word. Needs root, and Linux's `ip` and `bridge`; where they are not to be had, a test says so and is skipped.
//!
//! A room that is isolated reaches the host, and every room that is not; two isolated rooms do not reach each other.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

/// A bridge, with the host on it. Gone when dropped; its rooms must be gone before.
pub struct Segment {
    name: String,
    /// A /28 of the range that is kept for tests of networks (RFC 2544).
    base: u32,
}

/// One namespace on the segment. Gone when dropped; its processes must be gone before.
pub struct Room {
    name: String,
    /// The host's end of its cable.
    cable: String,
    pub address: IpAddr,
}

/// Whether two isolated rooms reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    Open,
    Isolated,
}

impl Segment {
    /// `None`, and the reason printed, where this machine does not let us.
    pub fn try_new() -> Option<Self> {
        let drawn = getrandom::u32().unwrap();
        let name = format!("kw{:06x}", drawn & 0xff_ffff);
        let base = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + (drawn >> 8) % 8192 * 16;
        let segment = Self { name, base };
        match segment.set_up() {
            Ok(()) => Some(segment),
            Err(why) => {
                println!("SKIPPED: no network namespaces here ({why})");
                None
            }
        }
    }

    /// A room on it; at most 12.
    pub fn room(&self, nth: u8, port: Port) -> Room {
        assert!((1..=12).contains(&nth));
        let (name, cable) = (format!("{}-{nth}", self.name), format!("{}v{nth}", self.name));
        let address = self.address(nth + 1);
        ip(&format!("netns add {name}")).unwrap();
        let room = Room { name, cable, address };
        let Room { name, cable, .. } = &room;
        for line in [
            format!("link add {cable} type veth peer name eth0 netns {name}"),
            format!("link set {cable} master {} up", self.name),
            format!("-n {name} addr add {address}/28 dev eth0"),
            format!("-n {name} link set eth0 up"),
            format!("-n {name} link set lo up"),
        ] {
            ip(&line).unwrap();
        }
        room.set(port);
        room
    }

    fn set_up(&self) -> Result<(), String> {
        let Self { name, .. } = self;
        ip(&format!("link add {name} type bridge"))?;
        ip(&format!("addr add {}/28 dev {name}", self.address(1)))?;
        ip(&format!("link set {name} up"))?;
        run("bridge", "-V")
    }

    fn address(&self, nth: u8) -> IpAddr {
        Ipv4Addr::from(self.base + u32::from(nth)).into()
    }
}

impl Room {
    /// A command that runs in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// The same, as the words before a program's own.
    pub fn prefix(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(String::from).to_vec()
    }

    pub fn set(&self, port: Port) {
        let on = if port == Port::Isolated { "on" } else { "off" };
        run("bridge", &format!("link set dev {} isolated {on}", self.cable)).unwrap();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = ip(&format!("link del {}", self.cable));
        let _ = ip(&format!("netns del {}", self.name));
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let _ = ip(&format!("link del {}", self.name));
    }
}

fn ip(line: &str) -> Result<(), String> {
    run("ip", line)
}

fn run(program: &str, line: &str) -> Result<(), String> {
    let output = Command::new(program).args(line.split(' ')).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`{program} {line}`: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
