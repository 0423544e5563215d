/** A trip begins with the first byte that is written after an answer. Only of use while there is one request at a time. */
export function countTrips(socket) {
  const counted = { count: 0 };
  let isUnderWay = false;
  const { write } = socket;
  socket.write = (...args) => {
    if (!isUnderWay) counted.count++;
    isUnderWay = true;
    return write.apply(socket, args);
  };
  socket.prependListener('data', () => {
    isUnderWay = false;
  });
  return counted;
}
