//! Commands for the next step, in their order.

use super::command::{Command, Order};
use crate::collections::pairs::Pairs;

#[derive(Default)]
pub(super) struct Pending {
    commands: Vec<Command>,
    /// The tokens of sends; one that is not among them was called off.
    sends: Pairs,
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    pub fn push(&mut self, command: Command) {
        if let Order::Send(_) = command.order {
            self.sends.insert((command.token.into(), 0));
        }
        self.commands.push(command);
    }

    pub fn extend(&mut self, commands: impl IntoIterator<Item = Command>) {
        for command in commands {
            self.push(command);
        }
    }

    /// Puts these before those that are here.
    pub fn put_before(&mut self, commands: Vec<Command>) {
        if !commands.is_empty() {
            let later = self.take();
            self.extend(commands.into_iter().chain(later));
        }
    }

    /// Takes out all but what was called off.
    pub fn take(&mut self) -> Vec<Command> {
        let Self { commands, sends } = core::mem::take(self);
        let stands =
            |command: &Command| !matches!(command.order, Order::Send(_)) || sends.has((command.token.into(), 0));
        commands.into_iter().filter(stands).collect()
    }

    /// Calls a send off; false: there is none of that token.
    pub fn unsend(&mut self, token: u32) -> bool {
        let there = self.sends.has((token.into(), 0));
        self.sends.remove((token.into(), 0));
        there
    }
}
