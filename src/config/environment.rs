//! Settings from environment variables: `WEIR_` and the name in capitals, `-` as `_`.

use std::ffi::OsString;

use super::table::{find, nearest};

/// The variable that names the configuration file.
pub const FILE: &str = "WEIR_CONFIG";
/// Switches for working on Weir itself; never settings.
const OTHERS: [&str; 1] = ["WEIR_BLESS"];

/// What the environment says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The configuration file.
    pub file: Option<OsString>,
    /// Settings: index, variable, value.
    pub settings: Vec<(usize, String, String)>,
    /// What was passed over and looks like a mistake.
    pub warnings: Vec<String>,
}

/// The variable for a setting.
pub fn variable(name: &str) -> String {
    format!("WEIR_{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// Picks the settings out of the environment. Variables that are no setting are passed over, with a
/// warning where the name is close to one: an environment is not ours alone.
pub fn read(variables: impl Iterator<Item = (OsString, OsString)>) -> Given {
    let mut given = Given::default();
    for (variable, value) in variables {
        let Some(variable) = variable.to_str() else {
            continue;
        };
        let Some(name) = variable.strip_prefix("WEIR_") else {
            continue;
        };
        if OTHERS.contains(&variable) {
            continue;
        }
        if variable == FILE {
            given.file = Some(value);
            continue;
        }
        let Some(index) = find(&name.replace('_', "-")) else {
            if let Some(near) = nearest(name) {
                let near = self::variable(near);
                given
                    .warnings
                    .push(format!("{variable} is no setting; did you mean {near}?"));
            }
            continue;
        };
        let value = value.to_string_lossy().into_owned();
        // Kubernetes describes a service named "weir" to its neighbours in this variable.
        if variable == "WEIR_PORT" && value.contains("://") {
            let warning = format!("{variable}={value} is an address, not a port; passed over");
            given.warnings.push(warning);
            continue;
        }
        given.settings.push((index, variable.to_owned(), value));
    }
    // The order of an environment is arbitrary.
    given.settings.sort();
    given
}
