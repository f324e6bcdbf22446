# The longest pause that the schedule has, because what is late depends on it.

locals {
  # The minutes, hours and weekdays of the schedule. Those of days of the month and of months are not looked at.
  cron = { for at, field in {
    for name, field in { minutes = [0, 59], hours = [1, 23], weekdays = [4, 6] } : name => {
      last                       = field[1]
      text = join("", [for token in regexall("[a-z]+|[^a-z]+", lower(split(" ", var.schedule)[field[0]])) :
      lookup({ sun = "0", mon = "1", tue = "2", wed = "3", thu = "4", fri = "5", sat = "6" }, token, token)])
    }
    } : at => flatten([for part in regexall("([0-9]+|[*])(?:-([0-9]+))?(?:/([0-9]+))?(?:,|$)", field.text) : range(
      part[0] == "*" ? 0 : tonumber(part[0]),
      1 + (part[1] != null ? tonumber(part[1]) : part[0] == "*" || part[2] != null ? field.last : tonumber(part[0])),
      tonumber(coalesce(part[2], "1")),
    )])
  }

  poll_times = flatten([for hour in range(24) : [for minute in range(60) : 60 * hour + minute if contains(local.cron.minutes, minute)] if contains(local.cron.hours, hour)])
  poll_days  = [for day in range(7) : day if contains(local.cron.weekdays, day) || (day == 0 && contains(local.cron.weekdays, 7))]

  # Days and times go round: before the first is the last of the week or day before. A month's days can be 366 days apart.
  days_apart = split(" ", var.schedule)[2] != "*" || split(" ", var.schedule)[3] != "*" ? 366 : try(max([
    for at, day in local.poll_days : at == 0 ? 7 + day - local.poll_days[length(local.poll_days) - 1] : day - local.poll_days[at - 1]
  ]...), 7)

  # In seconds. A schedule that cannot be read counts as one poll a day.
  longest_pause = 60 * try(max(
    1440 * local.days_apart - local.poll_times[length(local.poll_times) - 1] + local.poll_times[0],
    [for at, time in slice(local.poll_times, 1, length(local.poll_times)) : time - local.poll_times[at]]...
  ), 1440)
}
