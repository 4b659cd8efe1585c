# frozen_string_literal: true

# Sidekiq: adds jobs while a worker process takes them. Prints jobs per second, from the first that
# is added to the last that is done.
#
#     ruby sidekiq.rb JOBS       with the server's port in CHECK_PORT, a folder in CHECK_FOLDER

require "sidekiq"
require "sidekiq/api"

PORT = Integer(ENV.fetch("CHECK_PORT"))
DONE = "#{ENV.fetch('CHECK_FOLDER')}/done"
JOBS = Integer(ENV["BENCH_JOBS"] || ARGV.fetch(0))
REDIS = { url: "redis://127.0.0.1:#{PORT}/0" }.freeze
# Debian's Sidekiq is older than its redis gem, which would say so at every call.
Redis.silence_deprecations = true
Redis.sadd_returns_boolean = false
Sidekiq.configure_server { |config| config.redis = REDIS }
Sidekiq.configure_client { |config| config.redis = REDIS }

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

# Counts, and notes when the last was done.
class Job
  include Sidekiq::Worker
  LOCK = Mutex.new
  @count = 0
  class << self
    attr_accessor :count
  end

  def perform(_number)
    LOCK.synchronize do
      Job.count += 1
      File.write(DONE, now.to_s) if Job.count == JOBS
    end
  end
end

unless Sidekiq.server?
  worker = spawn({ "BENCH_JOBS" => JOBS.to_s }, "sidekiq", "-r", __FILE__, "-c", "10",
                 %i[out err] => File::NULL)
  begin
    sleep 0.02 until Sidekiq::ProcessSet.new.size == 1
    began = now
    JOBS.times { |number| Job.perform_async(number) }
    sleep 0.02 until File.size?(DONE)
    puts (JOBS / (File.read(DONE).to_f - began)).round
  ensure
    Process.kill("TERM", worker)
    Process.wait(worker)
  end
end
