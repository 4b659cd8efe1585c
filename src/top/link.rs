//! Speaks to the server: one question at a time, as `weir bench` asks.

use std::time::Duration;

use anyhow::Result;

use super::options::Options;
use super::sight::Sight;
use crate::bench::link::{Control, Target};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection, made again when it breaks.
#[derive(Debug)]
pub struct Link {
    options: Options,
    control: Option<Control>,
}

impl Link {
    /// Connects, and says who asks.
    pub fn open(options: &Options) -> Result<Self> {
        Ok(Self {
            options: options.clone(),
            control: Some(connect(options)?),
        })
    }

    /// Asks how it goes, with these words to WEIR.BACKLOG. A connection that broke is made again.
    pub fn look(&mut self, question: &[String]) -> Result<Sight> {
        // It comes back if all goes well.
        let mut control = match self.control.take() {
            Some(control) => control,
            None => connect(&self.options)?,
        };
        let fields: [&[u8]; 7] = [
            b"INFO", b"server", b"clients", b"memory", b"stats", b"weir", b"backlog",
        ];
        let info = control.ask(&fields)?.text(0).to_vec();
        let mut words: Vec<&[u8]> = vec![b"WEIR.BACKLOG"];
        words.extend(question.iter().map(String::as_bytes));
        let sight = Sight::of(&info, control.ask(&words)?);
        self.control = Some(control);
        Ok(sight)
    }
}

fn connect(options: &Options) -> Result<Control> {
    let target = Target {
        name: options.address(),
        user: options.user.clone(),
        password: options.password.clone(),
    };
    let mut control = Control::open(&target, PATIENCE)?;
    control.ask(&[b"CLIENT", b"SETNAME", b"weir-top"])?;
    if options.db > 0 {
        control.ask(&[b"SELECT", options.db.to_string().as_bytes()])?;
    }
    Ok(control)
}
