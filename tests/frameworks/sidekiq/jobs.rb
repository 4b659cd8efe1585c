# frozen_string_literal: true

# The jobs: `sidekiq -r` loads them, the check enqueues them.

require "sidekiq"
require "sidekiq/api"

PORT = Integer(ENV.fetch("CHECK_PORT"))
FOLDER = ENV.fetch("CHECK_FOLDER")
NOTED = Mutex.new
# Debian's Sidekiq is older than its redis gem, which would say so at every call.
Redis.silence_deprecations = true
Redis.sadd_returns_boolean = false

def note(line)
  NOTED.synchronize { File.write("#{FOLDER}/done-#{Process.pid}", "#{line}\n", mode: "a") }
end

Sidekiq.configure_server do |config|
  config.redis = { url: "redis://127.0.0.1:#{PORT}/0" }
  # Seconds between looks at what is scheduled; the stock value suits a cluster.
  config.options[:average_scheduled_poll_interval] = 1
  config.options[:poll_interval_average] = 1
end

Sidekiq.configure_client do |config|
  config.redis = { url: "redis://127.0.0.1:#{PORT}/0" }
end

class Plain
  include Sidekiq::Worker

  def perform(kind, number)
    note("#{kind} #{number}")
  end
end

class Stubborn
  include Sidekiq::Worker
  sidekiq_options retry: 3
  sidekiq_retry_in { 1 }

  def perform(number)
    note("stubborn #{number}")
    raise "again" if Sidekiq.redis { |redis| redis.incr("tries:#{number}") } < 2
  end
end

class Broken
  include Sidekiq::Worker
  sidekiq_options retry: 0

  def perform(number)
    note("broken #{number}")
    raise "broken #{number}"
  end
end

class Reluctant
  include Sidekiq::Worker
  sidekiq_options retry: 25, queue: "low"
  sidekiq_retry_in { 3600 }

  def perform(number)
    note("reluctant #{number}")
    raise "not now"
  end
end
