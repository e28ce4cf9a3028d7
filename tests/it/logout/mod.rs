mod interrupted;
mod main_job;
