//! What breaks around the service, and what it promises all the same.

mod audit;
mod backward_clock;
mod database_away;
mod two_nodes;
