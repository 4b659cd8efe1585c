# frozen_string_literal: true

# Sidekiq: queues by weight, bulk, scheduled jobs, retries, the dead set, the API of its web page.

require_relative "jobs"

JOBS = 3000
BULK = 1000
SCHEDULED = 100
RETRIED = 40
BROKEN = 40
RELUCTANT = 30

def noted
  Dir["#{FOLDER}/done-*"].flat_map { |file| File.readlines(file, chomp: true) }.tally
end

def expect(what, actual, expected)
  raise "#{what}: #{actual.inspect} and not #{expected.inspect}" unless actual == expected
end

def expect_each(kind, number, times = 1)
  seen = noted.select { |line, _| line.start_with?("#{kind} ") }
  expect(kind, seen.sort, (0...number).to_h { |n| ["#{kind} #{n}", times] }.sort)
end

def until_true(what, seconds = 45)
  deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
  until yield
    now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    raise "after #{seconds} s still not: #{what}" if now > deadline

    sleep 0.05
  end
end

def count(kind)
  noted.sum { |line, times| line.start_with?("#{kind} ") ? times : 0 }
end

workers = 2.times.map do |n|
  spawn("sidekiq", "-r", "#{__dir__}/jobs.rb", "-c", "10", "-q", "critical,3", "-q", "default,2",
        "-q", "low", %i[out err] => "#{FOLDER}/worker#{n}.log")
end

begin
  until_true("both processes are seen") { Sidekiq::ProcessSet.new.size == 2 }
  JOBS.times { |n| Plain.perform_async("plain", n) }
  Sidekiq::Client.push_bulk(
    "class" => Plain, "queue" => "critical", "args" => BULK.times.map { |n| ["bulk", n] }
  )
  SCHEDULED.times { |n| Plain.perform_in(1, "scheduled", n) }
  RETRIED.times { |n| Stubborn.perform_async(n) }
  BROKEN.times { |n| Broken.perform_async(n) }
  RELUCTANT.times { |n| Reluctant.perform_async(n) }
  later = 20.times.map { |n| Plain.perform_in(3600, "removed", n) }
  expect("scheduled", Sidekiq::ScheduledSet.new.count { |job| later.include?(job.jid) }, 20)
  later.each { |jid| Sidekiq::ScheduledSet.new.find_job(jid).delete }

  until_true("all jobs") { count("plain") + count("bulk") == JOBS + BULK }
  until_true("scheduled jobs") { count("scheduled") == SCHEDULED }
  until_true("retries") { count("stubborn") == 2 * RETRIED }
  until_true("dead jobs") { Sidekiq::DeadSet.new.size == BROKEN }
  until_true("jobs that wait for their retry") { Sidekiq::RetrySet.new.size == RELUCTANT }
  executed = JOBS + BULK + SCHEDULED + 2 * RETRIED + BROKEN + RELUCTANT
  until_true("statistics") { Sidekiq::Stats.new.processed == executed }
  expect("failures", Sidekiq::Stats.new.failed, RETRIED + BROKEN + RELUCTANT)
  expect_each("plain", JOBS)
  expect_each("bulk", BULK)
  expect_each("scheduled", SCHEDULED)
  expect_each("stubborn", RETRIED, 2)
  expect_each("broken", BROKEN)
  expect_each("reluctant", RELUCTANT)
  expect("removed", count("removed"), 0)
  expect("what is left", Sidekiq::Queue.all.sum(&:size), 0)

  # The dead are tried once more, and die again.
  Sidekiq::DeadSet.new.each(&:retry)
  until_true("they die again") do
    count("broken") == 2 * BROKEN && Sidekiq::DeadSet.new.size == BROKEN
  end
  expect("found", Sidekiq::RetrySet.new.scan("not now").count, RELUCTANT)
  Sidekiq::RetrySet.new.clear
  Sidekiq::ProcessSet.new.each(&:stop!)
  workers.each { |worker| Process.wait(worker) }
  workers.clear
  expect("history", Sidekiq::Stats::History.new(1).processed.values.sum, executed + BROKEN)
  expect("processes left", Sidekiq::ProcessSet.new.size, 0)
  puts "#{JOBS + BULK + SCHEDULED + RETRIED} jobs, #{BROKEN} dead twice, #{RETRIED} retries, " \
       "#{RELUCTANT} waiting for theirs, #{SCHEDULED} scheduled"
rescue StandardError => e
  Dir["#{FOLDER}/worker*.log"].each { |log| puts "-- #{log}", File.readlines(log).last(12) }
  puts e.full_message(highlight: false)
  exit 1
ensure
  workers.each { |worker| Process.kill("KILL", worker) }
end
