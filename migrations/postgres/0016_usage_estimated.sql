-- Of the tokens of an hour: those that nobody reported or counted, so that they were guessed. Sums of before say nothing of it.
ALTER TABLE usage_hour ADD COLUMN input_estimated BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN output_estimated BIGINT NOT NULL DEFAULT 0;
